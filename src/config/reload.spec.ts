import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.js';
import { type ConfigInput, loadConfig } from './load.js';
import { reloadConfig } from './reload.js';

const known = { collectors: [{ name: 'pss', enabled: false, help: '' }], sources: [] };
const input = (yaml: string, argv: readonly string[] = []): ConfigInput => ({
  argv: [...argv, '--config.file=/v'],
  env: {},
  readFile: () => yaml,
  known,
});

function first(given: ConfigInput) {
  const invocation = loadConfig(given);
  if (!('config' in invocation)) throw new Error(invocation.kind);
  return invocation.config;
}

describe('reading the file again', () => {
  it('takes over what can change and names what cannot', () => {
    const old = first(input('log.level: warn\nweb.max-requests: 7'));
    const reloaded = reloadConfig(
      old,
      input('log.level: debug\nweb.max-requests: 8\ncollector.pss: true\ndiscovery.vmm-executables: [/a]\ncollection.max-age: 1000ms'),
    );
    expect(reloaded).toMatchObject({
      changed: ['discovery.vmm-executables', 'log.level'],
      needRestart: ['web.max-requests', 'collector.pss'],
      warnings: [],
    });
    expect(reloaded.config).toEqual({ ...old, logLevel: 'debug', discoveryVmmExecutables: ['/a'] });
    expect(Object.isFrozen(reloaded.config)).toBe(true);
    expect(old.logLevel).toBe('warn');
  });

  it('goes back to the default where a line is gone', () => {
    const old = first(input('log.level: warn'));
    expect(reloadConfig(old, input(''))).toMatchObject({ config: { logLevel: 'info' }, changed: ['log.level'], needRestart: [] });
  });

  it('leaves a flag above the file', () => {
    const argv = ['--log.level=error'];
    const old = first(input('', argv));
    expect(reloadConfig(old, input('log.level: debug', argv))).toMatchObject({ config: old, changed: [], needRestart: [] });
  });

  it('says again what still needs a restart', () => {
    const old = first(input(''));
    const { config } = reloadConfig(old, input('log.format: text'));
    expect(reloadConfig(config, input('log.format: text')).needRestart).toEqual(['log.format']);
  });

  it('hands on the warnings', () => {
    const open = input('web: {listen-address: ":1", allow-unauthenticated: true}');
    expect(reloadConfig(first(open), open).warnings).toHaveLength(1);
  });

  it.each(['log.level: loud', 'nonsense: 1', 'web.listen-address: ":1"', '['])('refuses %j as a whole', (yaml) => {
    const old = first(input(''));
    expect(() => reloadConfig(old, input(yaml))).toThrow(ConfigError);
  });

  it('has nothing to do with --help', () => {
    expect(() => reloadConfig(first(input('')), input('', ['--help']))).toThrow('--help has no configuration to read again');
  });
});
