import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.js';
import { readSettingsFile } from './file.js';
import { loadConfig } from './load.js';
import { Vocabulary } from './vocabulary.js';

const known = {
  collectors: ['wait', 'pss'].map((name) => ({ name, enabled: true, help: '' })),
  sources: [{ name: 'file', enabled: true, help: '' }],
};
const vocabulary = new Vocabulary(known);
const read = (yaml: string) =>
  [...readSettingsFile('/v', yaml, vocabulary)].map(([key, { texts, origin }]) => [key, texts.join('|'), origin]);

describe('a YAML file', () => {
  it.each([
    ['nested', 'collector:\n  wait:\n    interval: 5s\n', [['collector.wait.interval', '5s', 'file /v line 3']]],
    ['dotted', 'collector.wait.interval: 5s\n', [['collector.wait.interval', '5s', 'file /v line 1']]],
    ['half dotted', 'collector:\n  wait.interval: 5s\n', [['collector.wait.interval', '5s', 'file /v line 2']]],
    ['flow', '{collector: {wait: {interval: 5s}}}', [['collector.wait.interval', '5s', 'file /v line 1']]],
    ['quoted', 'log.level: "debug"', [['log.level', 'debug', 'file /v line 1']]],
    ['numbers as written', 'web.max-requests: 0x10', [['web.max-requests', '0x10', 'file /v line 1']]],
    ['null is no value', 'web:\n  token-file: ~\n', [['web.token-file', '', 'file /v line 2']]],
    ['"null" in quotes is a value', 'web.token-file: "null"', [['web.token-file', 'null', 'file /v line 1']]],
    ['a list', 'discovery:\n  vmm-executables:\n  - /a\n  - /b*\n', [['discovery.vmm-executables', '/a|/b*', 'file /v line 2']]],
    ['a list with commas', 'discovery.vmm-executables: /a,/b', [['discovery.vmm-executables', '/a,/b', 'file /v line 1']]],
    [
      'an anchor',
      'path.run: &x /r\npath.sysfs: *x',
      [
        ['path.run', '/r', 'file /v line 1'],
        ['path.sysfs', '/r', 'file /v line 2'],
      ],
    ],
    ['nothing', '', []],
    ['a comment', '# nothing\n', []],
    ['null', 'null', []],
    ['groups without members', 'web:\ncollector:\n  wait:\n  # interval: 5s\n', []],
    [
      'toggle and setting of one name',
      'collector: {wait: true}\ncollector.wait.interval: 5s',
      [
        ['collector.wait', 'true', 'file /v line 1'],
        ['collector.wait.interval', '5s', 'file /v line 2'],
      ],
    ],
    [
      'toggle dotted, setting nested',
      'collector.wait: false\ncollector: {wait: {interval: 5s}}',
      [
        ['collector.wait', 'false', 'file /v line 1'],
        ['collector.wait.interval', '5s', 'file /v line 2'],
      ],
    ],
    [
      'toggle beside the dotted rest',
      'source:\n  file: true\n  file.path: /f',
      [
        ['source.file', 'true', 'file /v line 2'],
        ['source.file.path', '/f', 'file /v line 3'],
      ],
    ],
  ])('%s', (_, yaml, settings) => {
    expect(read(yaml)).toEqual(settings);
  });

  it.each([
    ['log:\n  levle: info', 'unknown setting "log.levle" (file /v line 2)'],
    ['web.token: hush', 'unknown setting "web.token" (file /v line 1)'],
    ['lgo: {level: info}', 'unknown setting "lgo" (file /v line 1)'],
    ['__proto__: {a: 1}', 'unknown setting "__proto__" (file /v line 1)'],
    ['"a\\nb": 1', 'unknown setting "a\\nb" (file /v line 1)'],
    ['<<: {log.level: info}', 'unknown setting "<<" (file /v line 1)'],
    ['log.level: info\nlog.level: warn', 'file /v line 2: Map keys must be unique'],
    ['log.level: info\nlog: {level: warn}', 'log.level: is given twice (file /v line 1 and file /v line 2)'],
    ['\nconfig.file: /x', 'config.file: cannot stand in the file itself (file /v line 2)'],
    ['- log.level', 'the file: must hold settings by name (file /v line 1)'],
    ['hello', 'the file: must hold settings by name (file /v line 1)'],
    ['web: 5', 'web: must hold settings by name (file /v line 1)'],
    ['web: [a]', 'web: must hold settings by name (file /v line 1)'],
    ['? [a]\n: 1', 'a name of a setting must be one word (file /v line 1)'],
    ['log.level: {a: 1}', 'log.level: "{…}" must be a value, not a group (file /v line 1)'],
    ['log.level: [info, warn]', 'log.level: "info,warn" must be one value, not a list (file /v line 1)'],
    ['discovery.vmm-executables: [/a, [b]]', 'discovery.vmm-executables: "/a,…" must be a list of single values (file /v line 1)'],
    ['log.level: *x', 'alias "x" has no anchor before it (file /v line 1)'],
    ['log: &x {level: *x}', 'log.level: "{…}" must be a value, not a group (file /v line 1)'],
    ['log.level: !secret info', 'file /v line 1: Unresolved tag: !secret'],
    ['log.level: info\n---\nlog.level: warn', 'file /v line 2: Source contains multiple documents; please use YAML.parseAllDocuments()'],
    [`discovery.vmm-executables: [&x /a${', *x'.repeat(101)}]`, 'more than 100 aliases (file /v line 1)'],
    [`#${'x'.repeat(65_536)}`, 'file /v is longer than 65536 bytes'],
    [`a: ${'['.repeat(60_000)}`, 'file /v line 1: nested too deeply'],
  ])('%# is refused', (yaml, line) => {
    expect(() => read(yaml)).toThrow(expect.objectContaining({ name: 'ConfigError', message: line }));
  });

  it('says the line of a bad value', () => {
    const load = (yaml: string) => loadConfig({ argv: ['--config.file=/v'], env: {}, readFile: () => yaml, known });
    expect(() => load('web:\n  max-requests: 1e3')).toThrow('web.max-requests: "1e3" must be a whole number (file /v line 2)');
    expect(() => load('log:\n  level:')).toThrow('log.level: "" must be one of error, warn, info, debug (file /v line 2)');
    expect(() => load('\n\npath.run: ""')).toThrow('path.run: "" must be a path (file /v line 3)');
  });

  it('that cannot be read is one line', () => {
    const missing = Object.assign(new Error("ENOENT: no such file, open '/v'"), { code: 'ENOENT' });
    const fail = (error: unknown) => () =>
      loadConfig({
        argv: ['--config.file=/v'],
        env: {},
        readFile: () => {
          throw error;
        },
        known,
      });
    expect(fail(missing)).toThrow('config.file: "/v" cannot be read: ENOENT (flag --config.file)');
    expect(fail(new Error('on\nfire'))).toThrow('config.file: "/v" cannot be read: on fire (flag --config.file)');
    expect(fail('no')).toThrow('config.file: "/v" cannot be read: no (flag --config.file)');
  });

  it('cut at any byte gives settings or one line', () => {
    const whole = 'web: {listen-address: "[::1]:1"}\ncollector:\n  wait: &x true\n  pss: *x\ndiscovery.vmm-executables:\n- /a\n- "/b"\n';
    for (let end = 0; end <= whole.length; end++) survives(whole.slice(0, end));
  });

  it('of any text gives settings or one line', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('log: ', '{', '}', '[', ']', '\n', '  ', '- ', ': ', '&x ', '*x', '? ', '!t ', '%YAML 1.1\n---\n'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => survives(pieces.join(''))),
      { numRuns: 1000 },
    );
  });
});

function survives(yaml: string): void {
  try {
    read(yaml);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toMatch(/[\r\n]/);
  }
}
