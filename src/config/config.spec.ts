import { getMetadataStorage } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { Config } from './config.js';
import { declarations } from './declarations.js';
import { environmentName, settingsOf } from './setting.js';

const settings = settingsOf(Config.prototype);
const defaults = new Config();

const camelCase = (key: string): string => key.replace(/[.-](\w)/g, (_, letter: string) => letter.toUpperCase());

describe('the declarations', () => {
  it('cover every property but the maps by name', () => {
    expect([...settings.map(({ property }) => property), 'collectors', 'sources', 'upstreams'].sort()).toEqual(
      Object.keys(defaults).sort(),
    );
  });

  it.each(settings)('$key: the property is the key, with Ms for a duration', ({ key, property, kind }) => {
    expect(property).toBe(camelCase(key) + (kind.placeholder === 'DURATION' ? 'Ms' : ''));
    expect(key).toMatch(/^[a-z]+(\.[a-z]+)?\.[a-z]+(-[a-z]+)*$/);
  });

  it.each(settings)('$key: has a validator and a sentence of help', ({ property, help }) => {
    expect(
      getMetadataStorage()
        .getTargetValidationMetadatas(Config, '', false, false)
        .map((about) => about.propertyName),
    ).toContain(property);
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
  });

  it.each(settings)('$key: the default is written as a person would write it', ({ property, kind }) => {
    const value: unknown = Reflect.get(defaults, property);
    expect(kind.parse([kind.format(value)])).toEqual(value);
  });

  it('share no environment name', () => {
    const names = settings.map(({ key }) => environmentName(key));
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([['file.path'], ['file-path']])('refuse a source called %s: its variable is another setting’s', (name) => {
    expect(() => declarations({ collectors: [], sources: [{ name, enabled: true, help: '' }] })).toThrow(
      'two settings would be called VMGAUGE_SOURCE_FILE_PATH',
    );
  });
});
