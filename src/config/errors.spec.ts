import { describe, expect, it } from 'vitest';
import { loadConfig } from './load.js';

const known = { collectors: [{ name: 'wait', enabled: true, help: '' }], sources: [] };
const load = (argv: readonly string[], env: Record<string, string> = {}, yaml = '') =>
  loadConfig({ argv, env, readFile: () => yaml, known });

describe('error lines of flags', () => {
  it.each([
    [['serv'], 'unknown command "serv": there is serve, list, stats, metrics, doctor, trace; see --help'],
    [[''], 'unknown command "": there is serve, list, stats, metrics, doctor, trace; see --help'],
    [['serve', 'now'], 'unexpected argument "now": settings are written --name=value'],
    [['--log.level=info', 'list'], 'unexpected argument "list": the command comes first'],
    [['list', 'now'], 'unexpected argument "now": settings are written --name=value'],
    [['stats', 'a', 'b'], 'unexpected argument "b": stats takes one ID'],
    [['metrics', 'a', '--log.level=info', 'b', 'c'], 'unexpected argument "b": metrics takes one ID'],
    [['metrics', '', 'b'], 'unexpected argument "b": metrics takes one ID'],
    [['metrics', '-x'], 'unknown flag "-x": see --help'],
    [['metrics', '--', 'x'], 'unknown flag "--": see --help'],
    [['list', '--format=xml'], 'format: "xml" must be one of table, json (flag --format)'],
    [['list', '--format'], 'format: needs a value (flag --format)'],
    [['list', '--format', '--log.level=info'], 'format: needs a value (flag --format)'],
    [['list', '--format=json', '--format=table'], 'format: "table" is given after "json" (flag --format)'],
    [['list', '--no-format'], 'unknown flag "--no-format": see --help'],
    [['list', '--window=5s'], 'unknown flag "--window": it belongs to stats'],
    [['--format=json'], 'unknown flag "--format": it belongs to list'],
    [['stats', 'a', '--format', 'json'], 'unknown flag "--format": it belongs to list'],
    ...['0s', '30', '1500ms', '6m', 'soon', ''].map((text): [string[], string] => [
      ['stats', 'a', `--window=${text}`],
      `window: ${JSON.stringify(text)} must be whole seconds from 1s to 310s, such as 30s or 5m (flag --window)`,
    ]),
    [['--collector.wait', 'false'], 'unexpected argument "false": settings are written --name=value'],
    [['--web.listen-adress=:80'], 'unknown flag "--web.listen-adress": see --help'],
    [['--Log.level=info'], 'unknown flag "--Log.level": see --help'],
    [['--no-log.level'], 'unknown flag "--no-log.level": see --help'],
    [['--no-no-collector.wait'], 'unknown flag "--no-no-collector.wait": see --help'],
    [['--a\nb'], 'unknown flag "--a\\nb": see --help'],
    [['-v'], 'unknown flag "-v": see --help'],
    [['--'], 'unknown flag "--": see --help'],
    [['--__proto__=1'], 'unknown flag "--__proto__": see --help'],
    [['--no-collector.wait=true'], 'collector.wait: "true" cannot follow a flag that says no (flag --no-collector.wait)'],
    [['--log.level'], 'log.level: needs a value (flag --log.level)'],
    [['--log.level', '--log.format=text'], 'log.level: needs a value (flag --log.level)'],
    [['--log.level=info', '--log.level=warn'], 'log.level: "warn" is given after "info" (flag --log.level)'],
    [['--collector.wait=yes'], 'collector.wait: "yes" must be true or false (flag --collector.wait)'],
    [['--collector.wait='], 'collector.wait: "" must be true or false (flag --collector.wait)'],
    [['--web.max-requests=many'], 'web.max-requests: "many" must be a whole number (flag --web.max-requests)'],
    [['--web.max-requests=-1'], 'web.max-requests: "-1" must be a whole number (flag --web.max-requests)'],
    [['--web.max-requests=0'], 'web.max-requests: "0" must be between 1 and 10000 (flag --web.max-requests)'],
    [['--log.level=trace'], 'log.level: "trace" must be one of error, warn, info, debug (flag --log.level)'],
    [['--log.format=logfmt'], 'log.format: "logfmt" must be one of json, text (flag --log.format)'],
    [['--collection.interval=5'], 'collection.interval: "5" must be a duration such as 500ms, 2s or 1m30s (flag --collection.interval)'],
    [['--collection.interval=1ms'], 'collection.interval: "1ms" must be between 100ms and 1h (flag --collection.interval)'],
    [
      ['--collection.stopped-retention=8d'],
      'collection.stopped-retention: "8d" must be between 0s and 7d (flag --collection.stopped-retention)',
    ],
    [['--path.run='], 'path.run: "" must be a path (flag --path.run)'],
    [['--web.token-file=/a\0b'], 'web.token-file: "/a\\u0000b" must be a path, or empty for none (flag --web.token-file)'],
    [
      ['--discovery.vmm-executables=/a,qemu'],
      'discovery.vmm-executables: "/a,qemu" must be absolute paths, where * stands for any characters but / (flag --discovery.vmm-executables)',
    ],
    [
      ['--web.listen-address=10177'],
      'web.listen-address: "10177" must be host:port, [IPv6 address]:port, :port or unix:/path (flag --web.listen-address)',
    ],
    [
      ['--web.telemetry-path=metrics'],
      'web.telemetry-path: "metrics" must be a path such as /metrics, of letters, digits and -._~ (flag --web.telemetry-path)',
    ],
    [
      ['--web.telemetry-path=/stats'],
      'web.telemetry-path: "/stats" must not begin with /stats, which the agent answers itself (flag --web.telemetry-path)',
    ],
    [
      ['--path.run=x'.padEnd(200, 'x'), '--log.level='.padEnd(200, 'y')],
      `log.level: "${'y'.repeat(80)}…" must be one of error, warn, info, debug (flag --log.level)`,
    ],
  ])('%j', (argv, line) => {
    expect(() => load(argv)).toThrow(expect.objectContaining({ name: 'ConfigError', message: line }));
  });

  it.each(['/', '/metrics/', '//metrics', '/a/../b', '/./a', '/:id', '/*', '/a%2fb', '/a?b', '/ä', '/a\n'])('no page at %j', (path) => {
    expect(() => load([`--web.telemetry-path=${path}`])).toThrow('must be a path such as /metrics');
  });

  it.each(['/instances/x', '/docs', '/openapi.yaml', '/health'])('no page at %j, which is ours', (path) => {
    expect(() => load([`--web.telemetry-path=${path}`])).toThrow('which the agent answers itself');
  });

  it.each(['/metrics', '/vm/metrics', '/statsx', '/a/stats', '/.well-known/metrics', '/...'])('a page at %j', (path) => {
    expect(load([`--web.telemetry-path=${path}`])).toMatchObject({ config: { webTelemetryPath: path } });
  });
});

describe('error lines of the environment', () => {
  it('name the variable', () => {
    expect(() => load([], { VMGAUGE_LOG_LEVEL: 'loud' })).toThrow(
      'log.level: "loud" must be one of error, warn, info, debug (environment VMGAUGE_LOG_LEVEL)',
    );
    expect(() => load([], { VMGAUGE_WEB_MAX_REQUESTS: '20000' })).toThrow(
      'web.max-requests: "20000" must be between 1 and 10000 (environment VMGAUGE_WEB_MAX_REQUESTS)',
    );
  });

  it('are not written for a value that a flag replaces', () => {
    expect(load(['--log.level=info'], { VMGAUGE_LOG_LEVEL: 'loud' })).toMatchObject({ config: { logLevel: 'info' } });
  });
});

describe('addresses that others can reach', () => {
  const open = '--web.listen-address=:10177';

  it('need tokens or a word', () => {
    const ways = 'set web.token-file to ask for tokens, or web.allow-unauthenticated to let everyone read';
    expect(() => load([open])).toThrow(`web.listen-address: ":10177" can be reached from other hosts (flag --web.listen-address): ${ways}`);
    expect(() => load(['--config.file=/v'], {}, 'log.level: info\nweb: {listen-address: "0.0.0.0:80"}')).toThrow(
      `web.listen-address: "0.0.0.0:80" can be reached from other hosts (file /v line 2): ${ways}`,
    );
  });

  it.each(['list', 'stats', 'metrics'])('matter to who listens, not to %s', (command) => {
    expect(load([command, open])).toMatchObject({ warnings: [] });
  });

  it.each([
    [[open, '--web.token-file=/t'], []],
    [
      [open, '--web.allow-unauthenticated'],
      ['web.listen-address ":10177" can be reached from other hosts and web.allow-unauthenticated lets everyone read'],
    ],
    [
      [open, '--web.allow-unauthenticated', '--web.token-file=/t'],
      ['web.allow-unauthenticated has no effect because web.token-file is set: tokens are asked for'],
    ],
    [['--web.allow-unauthenticated'], []],
    [['--web.allow-unauthenticated', '--web.listen-address=unix:/run/v.sock'], []],
    [['--web.listen-address=unix:/run/v.sock'], []],
    [['--web.listen-address=[::1]:80'], []],
  ])('%j', (argv, warnings) => {
    expect(load(argv)).toMatchObject({ warnings });
  });
});
