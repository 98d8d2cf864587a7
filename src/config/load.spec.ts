import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Config } from './config.js';
import { ConfigError } from './config-error.js';
import { type ConfigInput, loadConfig } from './load.js';

const known = {
  collectors: [
    { name: 'cpu', enabled: true, help: 'CPU time.' },
    { name: 'wait', enabled: true, help: 'Run queue wait.' },
    { name: 'pss', enabled: false, help: 'Proportional set size.' },
  ],
  sources: [{ name: 'file', enabled: true, help: 'Instances by file.' }],
};

function input(argv: readonly string[], env: ConfigInput['env'] = {}, yaml?: string): ConfigInput {
  const named = yaml === undefined ? argv : [...argv, '--config.file=/etc/v.yaml'];
  return { argv: named, env, readFile: () => yaml ?? '', known };
}

function load(...given: Parameters<typeof input>) {
  const invocation = loadConfig(input(...given));
  if (!('config' in invocation)) throw new Error(`no config but ${invocation.kind}`);
  return invocation;
}

/** One row per kind: key, property, and three values as text and as stored. */
const KINDS: readonly [string, keyof Config, readonly [string, unknown], readonly [string, unknown], readonly [string, unknown]][] = [
  ['path.run', 'pathRun', ['/a', '/a'], ['/b', '/b'], ['/c', '/c']],
  ['web.max-requests', 'webMaxRequests', ['1', 1], ['2', 2], ['3', 3]],
  ['web.drain-timeout', 'webDrainTimeoutMs', ['1s', 1000], ['2m', 120_000], ['3ms', 3]],
  ['log.level', 'logLevel', ['error', 'error'], ['warn', 'warn'], ['debug', 'debug']],
  ['discovery.vmm-executables', 'discoveryVmmExecutables', ['/a*,/b', ['/a*', '/b']], ['/c', ['/c']], [' /d , ', ['/d']]],
  ['web.disable-exporter-metrics', 'webDisableExporterMetrics', ['true', true], ['false', false], ['true', true]],
];

describe.each(KINDS)('%s', (key, property, flag, environment, file) => {
  const name = `VMGAUGE_${key.toUpperCase().replace(/\W/g, '_')}`;
  const yaml = `${key}: "${file[0]}"`;
  const cases = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({ flag: (bits & 4) !== 0, environment: (bits & 2) !== 0, file: (bits & 1) !== 0 }));

  it.each(cases)('flag $flag, environment $environment, file $file', (given) => {
    const { config } = load(
      given.flag ? [`--${key}=${flag[0]}`] : [],
      given.environment ? { [name]: environment[0] } : {},
      given.file ? yaml : undefined,
    );
    const standard: unknown = new Config()[property];
    const expected = given.flag ? flag[1] : given.environment ? environment[1] : given.file ? file[1] : standard;
    expect(config[property]).toEqual(expected);
  });
});

describe('toggles', () => {
  it.each([
    { argv: [], env: {}, yaml: undefined, on: false },
    { argv: [], env: {}, yaml: 'collector: {pss: true}', on: true },
    { argv: [], env: { VMGAUGE_COLLECTOR_PSS: 'false' }, yaml: 'collector: {pss: true}', on: false },
    { argv: ['--collector.pss'], env: { VMGAUGE_COLLECTOR_PSS: 'false' }, yaml: undefined, on: true },
    { argv: ['--no-collector.pss'], env: { VMGAUGE_COLLECTOR_PSS: 'true' }, yaml: 'collector.pss: true', on: false },
    { argv: ['--collector.pss=true'], env: {}, yaml: undefined, on: true },
    { argv: ['--collector.pss=false'], env: { VMGAUGE_COLLECTOR_PSS: 'true' }, yaml: undefined, on: false },
  ])('$argv $env $yaml', ({ argv, env, yaml, on }) => {
    const { config } = load(argv, env, yaml);
    expect([...config.collectors]).toEqual([
      ['cpu', true],
      ['wait', true],
      ['pss', on],
    ]);
    expect([...config.sources]).toEqual([['file', true]]);
  });

  it('stand beside settings of the same beginning', () => {
    const { config } = load(
      ['--no-source.file', '--source.file.path=/f'],
      {},
      'collector: {wait: {interval: 7s}, pss: yes-no}'.replace('yes-no', 'true'),
    );
    expect(config.sources.get('file')).toBe(false);
    expect(config.sourceFilePath).toBe('/f');
    expect(config.collectorWaitIntervalMs).toBe(7000);
  });
});

describe('the command line', () => {
  it.each([
    [[], 'serve'],
    [['serve'], 'serve'],
    [['--help'], 'help'],
    [['-h'], 'help'],
    [['--version'], 'version'],
    [['serve', '--nonsense', '--help'], 'help'],
    [['--version', '--help'], 'help'],
    [['stats', 'a', 'b', '--help'], 'help'],
    [['list'], 'list'],
    [['list', '--version'], 'version'],
    [['stats', 'a'], 'stats'],
    [['stats'], 'stats'],
    [['metrics', 'a'], 'metrics'],
  ])('%j is %s', (argv, kind) => {
    expect(loadConfig(input(argv)).kind).toBe(kind);
  });

  it.each([
    [['--help'], 'serve'],
    [['nothing', '-h'], 'serve'],
    [['list', '-h'], 'list'],
    [['metrics', '--nonsense', '--help'], 'metrics'],
  ])('%j tells of %s', (argv, command) => {
    expect(loadConfig(input(argv))).toEqual({ kind: 'help', command });
  });

  it('has one word behind a command that takes one, before or among the flags', () => {
    expect(load(['stats', 'a']).operand).toBe('a');
    expect(load(['stats', '--log.level', 'debug', 'a', '--window=5m'])).toMatchObject({ operand: 'a', config: { logLevel: 'debug' } });
    expect(load(['stats', '']).operand).toBe('');
    expect(load(['stats']).operand).toBe('');
  });

  it('has values of the own flags of a command, in one spelling, and their defaults', () => {
    expect([...load(['list']).options]).toEqual([['format', 'table']]);
    expect([...load(['list', '--format', 'json']).options]).toEqual([['format', 'json']]);
    expect([...load(['stats', 'a']).options]).toEqual([]);
    expect([...load(['stats', 'a', '--window=5m10s']).options]).toEqual([['window', '310s']]);
    expect([...load([]).options]).toEqual([]);
  });

  it('says which settings it gives itself', () => {
    const env = { VMGAUGE_PATH_PROCFS: '/p' };
    const { flags } = load(['list', '--format=json', '--log.level=warn', '--no-source.file'], env, 'path.run: /r');
    expect(flags).toEqual(['log.level', 'source.file', 'config.file']);
  });

  it('takes a value as the next word', () => {
    expect(load(['serve', '--log.level', 'debug', '--no-collector.cpu', '--path.run', '-x']).config).toMatchObject({
      logLevel: 'debug',
      pathRun: '-x',
    });
  });

  it('keeps everything after the first equals sign', () => {
    expect(load(['--path.run=/a=--b']).config.pathRun).toBe('/a=--b');
  });

  it('joins repeated flags of a list', () => {
    const { config } = load(['--discovery.vmm-executables=/a,/b', '--discovery.vmm-executables', '/c']);
    expect(config.discoveryVmmExecutables).toEqual(['/a', '/b', '/c']);
  });

  it('can empty a list and a path that the file sets', () => {
    const { config } = load(
      ['--discovery.vmm-executables=', '--source.file.path='],
      {},
      'source.file.path: /x\ndiscovery.vmm-executables: [/y]',
    );
    expect(config).toMatchObject({ discoveryVmmExecutables: [], sourceFilePath: '' });
  });
});

describe('the environment', () => {
  it('counts an empty variable as not set', () => {
    expect(load([], { VMGAUGE_LOG_LEVEL: '', VMGAUGE_CONFIG_FILE: '' }).config.logLevel).toBe('info');
  });

  it('names the file', () => {
    const read: string[] = [];
    const readFile = (path: string) => {
      read.push(path);
      return 'log.level: warn';
    };
    const invocation = loadConfig({ ...input([]), env: { VMGAUGE_CONFIG_FILE: '/etc/e.yaml' }, readFile });
    expect(invocation).toMatchObject({ config: { logLevel: 'warn', configFile: '/etc/e.yaml' } });
    expect(read).toEqual(['/etc/e.yaml']);
  });

  it('warns of variables that it does not know, and of no others', () => {
    const env = {
      VMGAUGE_SERVICE_HOST: '10.0.0.1',
      VMGAUGE_PORT: '',
      HOME: '/root',
      vmgauge_log_level: 'debug',
      VMGAUGE_LOG_FORMAT: 'text',
    };
    expect(load([], env).warnings).toEqual([
      'environment VMGAUGE_PORT is no setting and has no effect',
      'environment VMGAUGE_SERVICE_HOST is no setting and has no effect',
    ]);
  });
});

describe('the result', () => {
  it('is frozen', () => {
    const { config } = load(['--discovery.vmm-executables=/a']);
    expect(config).toBeInstanceOf(Config);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.discoveryVmmExecutables)).toBe(true);
    expect(Object.isFrozen(load([]).config.discoveryVmmExecutables)).toBe(true);
  });

  it('reads no file when none is named', () => {
    const readFile = () => {
      throw new Error('read');
    };
    expect(loadConfig({ ...input([]), readFile }).kind).toBe('serve');
  });
});

describe('any input', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '--log.level',
      '--config.file=/x',
      '--collector.pss',
      '--no-collector.pss',
      ...['serve', 'list', 'stats', 'metrics', '--format=json', '--window'],
      '--path.run=/x',
      '--web.listen-address=:1',
    ),
    fc.string().map((text) => `--web.max-requests=${text}`),
  );

  it('gives a config or one line', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), fc.string(), fc.string(), (argv, variable, yaml) => {
        try {
          loadConfig({ ...input(argv, { VMGAUGE_LOG_LEVEL: variable }), readFile: () => yaml });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.message).not.toMatch(/[\r\n]/);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('means the same as flag, variable and YAML', () => {
    const outcome = (...given: Parameters<typeof input>) => {
      try {
        return load(...given).config.collectionMaxAgeMs;
      } catch (error) {
        return error instanceof ConfigError ? error.message.replace(/\([^)]*\)$/, '') : error;
      }
    };
    const value = fc.oneof(fc.stringMatching(/^[0-9msh.]{1,6}$/), fc.stringMatching(/^[ -~]+$/));
    fc.assert(
      fc.property(value, (text) => {
        const byFlag = outcome([`--collection.max-age=${text}`]);
        expect(outcome([], { VMGAUGE_COLLECTION_MAX_AGE: text })).toEqual(byFlag);
        expect(outcome([], {}, `collection: {max-age: ${JSON.stringify(text)}}`)).toEqual(byFlag);
      }),
    );
  });
});
