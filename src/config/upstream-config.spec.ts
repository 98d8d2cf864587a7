import { getMetadataStorage } from 'class-validator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.js';
import { declarations, documented, upstreamDeclarations, valueIn } from './declarations.js';
import { helpText } from './help.js';
import { type ConfigInput, loadConfig } from './load.js';
import { reloadConfig } from './reload.js';
import { settingsOf } from './setting.js';
import { UpstreamConfig, upstreamSettings } from './upstream-config.js';
import { Vocabulary } from './vocabulary.js';

const known = { collectors: [], sources: [] };
const URL_OF_A = '--upstream.a.url=https://127.0.0.1:10350/metrics';
const PIN = Array.from({ length: 32 }, (_, i) => (i + 160).toString(16)).join(':');

function input(argv: readonly string[], env: ConfigInput['env'] = {}, yaml?: string): ConfigInput {
  return { argv: yaml === undefined ? argv : [...argv, '--config.file=/v'], env, readFile: () => yaml ?? '', known };
}

function load(...given: Parameters<typeof input>) {
  const invocation = loadConfig(input(...given));
  if (!('config' in invocation)) throw new Error(invocation.kind);
  return invocation;
}

function complaint(...given: Parameters<typeof input>): string {
  try {
    load(...given);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('an upstream', () => {
  it('is the same by flags, by variables and in the file', () => {
    const byFlags = load([
      URL_OF_A.replace('.a.', '.antrea-agent.'),
      '--upstream.antrea-agent.token-file=/t',
      '--upstream.antrea-agent.certificate-sha256',
      PIN.toUpperCase(),
      '--upstream.antrea-agent.server-name=antrea.local',
      '--upstream.antrea-agent.labels=node=n1,zone=a=b',
      '--upstream.antrea-agent.allow=antrea_',
      '--upstream.antrea-agent.allow=process_',
      '--upstream.antrea-agent.deny=antrea_proxy_',
      '--upstream.antrea-agent.interval=30s',
      '--upstream.antrea-agent.timeout=10s',
      '--upstream.antrea-agent.max-bytes=2048',
      '--upstream.antrea-agent.max-series=7',
    ]).config;
    const byVariables = load([], {
      VMGAUGE_UPSTREAM_ANTREA_AGENT_URL: 'https://127.0.0.1:10350/metrics',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_TOKEN_FILE: '/t',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_CERTIFICATE_SHA256: PIN.toUpperCase(),
      VMGAUGE_UPSTREAM_ANTREA_AGENT_SERVER_NAME: 'antrea.local',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_LABELS: 'node=n1, zone=a=b',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_ALLOW: 'antrea_,process_',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_DENY: 'antrea_proxy_',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_INTERVAL: '30s',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_TIMEOUT: '10s',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_MAX_BYTES: '2048',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_MAX_SERIES: '7',
      VMGAUGE_UPSTREAM_ANTREA_AGENT_CA_FILE: '',
    });
    const inFile = load(
      [],
      {},
      `upstream:
  antrea-agent:
    url: https://127.0.0.1:10350/metrics
    token-file: /t
    certificate-sha256: "${PIN.toUpperCase()}"
    server-name: antrea.local
    labels: [node=n1, zone=a=b]
    allow: [antrea_, process_]
    deny: antrea_proxy_
    interval: 30s
  antrea-agent.timeout: 10s
upstream.antrea-agent: {max-bytes: 2048}
upstream.antrea-agent.max-series: 7
`,
    ).config;
    expect(byVariables.config.upstreams).toEqual(byFlags.upstreams);
    expect(byVariables.warnings).toEqual([]);
    expect(inFile.upstreams).toEqual(byFlags.upstreams);
    expect(upstreamSettings(byFlags.upstreams)).toEqual([
      {
        name: 'antrea-agent',
        url: 'https://127.0.0.1:10350/metrics',
        tokenFile: '/t',
        caFile: '',
        certificateSha256: PIN.replaceAll(':', ''),
        serverName: 'antrea.local',
        insecureSkipVerify: false,
        labels: new Map([
          ['node', 'n1'],
          ['zone', 'a=b'],
        ]),
        allow: ['antrea_', 'process_'],
        deny: ['antrea_proxy_'],
        intervalMs: 30_000,
        timeoutMs: 10_000,
        maxBytes: 2048,
        maxSeries: 7,
      },
    ]);
  });

  it('has defaults for all but its URL, and members from anywhere', () => {
    const { config } = load(['--upstream.b.interval=3s'], { VMGAUGE_UPSTREAM_B_URL: 'http://h/m' }, 'upstream: {a: {url: unix:/s:/m}}');
    expect([...config.upstreams]).toEqual([
      ['a', { ...new UpstreamConfig(), url: 'unix:/s:/m' }],
      ['b', { ...new UpstreamConfig(), url: 'http://h/m', intervalMs: 3000 }],
    ]);
    // The default timeout gives way to a short interval.
    expect(upstreamSettings(config.upstreams).map(({ name, intervalMs, timeoutMs }) => [name, intervalMs, timeoutMs])).toEqual([
      ['a', 15_000, 5000],
      ['b', 3000, 3000],
    ]);
  });

  it('is one of few: a file of thousands is refused before any of them is looked at', () => {
    const yaml = `upstream:\n${Array.from({ length: 2500 }, (_, i) => ` a${i}: {url: x}\n`).join('')}`;
    expect(complaint([], {}, yaml)).toBe('upstream: 2500 are more than the 32 that one agent asks');
  });

  it('is switched by flags of its own as every boolean is', () => {
    const yaml = 'upstream: {a: {url: "https://h/m", insecure-skip-verify: true}}';
    expect(load([], {}, yaml).config.upstreams.get('a')?.insecureSkipVerify).toBe(true);
    expect(load(['--no-upstream.a.insecure-skip-verify'], {}, yaml).config.upstreams.get('a')?.insecureSkipVerify).toBe(false);
  });

  it('stands once for all in --help', () => {
    const text = helpText(known);
    for (const { key } of settingsOf(UpstreamConfig.prototype))
      expect(text).toMatch(new RegExp(`^ {2}--(\\[no-\\])?upstream\\.<name>\\.${key}(=|$)`, 'm'));
    expect(documented(known).length).toBe(declarations(known).length + settingsOf(UpstreamConfig.prototype).length);
  });

  it('is said, and no member of it is taken over, when the file is read again', () => {
    const first = load([], {}, 'upstream: {a: {url: "http://h/m"}}').config;
    const reloaded = reloadConfig(first, input([], {}, 'upstream: {b: {url: "http://h/m"}}\nlog.level: warn'));
    expect(reloaded.needRestart).toEqual(['upstream.a.url', 'upstream.b.url']);
    expect(reloaded.changed).toEqual(['log.level']);
    expect(reloaded.config.upstreams).toBe(first.upstreams);
  });
});

describe('one line says what is wrong with an upstream', () => {
  it.each([
    [['--upstream.a.interval=3s'], 'upstream.a.url: is missing (flag --upstream.a.interval)'],
    [['--upstream.a.uri=x'], 'unknown flag "--upstream.a.uri": see --help'],
    [
      ['--upstream.Bad.url=http://h/'],
      'unknown flag "--upstream.Bad.url": a name of an upstream is up to 63 lower case letters, digits and dashes, a letter first',
    ],
    [
      ['--upstream.a.url=http://h/', '--upstream.a.url=http://i/'],
      'upstream.a.url: "http://i/" is given after "http://h/" (flag --upstream.a.url)',
    ],
    [
      [URL_OF_A, '--upstream.a.timeout=20s'],
      'upstream.a.timeout: "20s" must not be longer than upstream.a.interval (flag --upstream.a.timeout)',
    ],
    [[URL_OF_A, '--upstream.a.interval=999ms'], 'upstream.a.interval: "999ms" must be between 1s and 1h (flag --upstream.a.interval)'],
    [
      [URL_OF_A, `--upstream.a.certificate-sha256=${PIN}`, '--upstream.a.insecure-skip-verify'],
      /^upstream\.a\.certificate-sha256: "a0:.*" contradicts upstream\.a\.insecure-skip-verify: only one of them can say who is believed \(flag --upstream\.a\.certificate-sha256\)$/,
    ],
    [[URL_OF_A, '--upstream.a.ca-file=/c', '--upstream.a.insecure-skip-verify'], /^upstream\.a\.ca-file: "\/c" contradicts/],
    [[URL_OF_A, '--upstream.a.certificate-sha256=abc'], /^upstream\.a\.certificate-sha256: "abc" must be the SHA-256/],
    [
      ['--upstream.a.url=http://h/', '--upstream.a.ca-file=/c'],
      'upstream.a.ca-file: "/c" has no meaning: upstream.a.url is not https (flag --upstream.a.ca-file)',
    ],
    [[URL_OF_A, '--upstream.a.labels=upstream=x'], /^upstream\.a\.labels: "upstream=x" must be up to 16 labels/],
    [[URL_OF_A, '--upstream.a.labels=__name__=x'], /^upstream\.a\.labels: "__name__=x" must be/],
    [[URL_OF_A, '--upstream.a.labels=le=1'], /^upstream\.a\.labels: "le=1" must be/],
    [[URL_OF_A, '--upstream.a.labels=a=1,a=2'], /^upstream\.a\.labels: "a=1, ?a=2" must be/],
    [[URL_OF_A, '--upstream.a.labels=a'], /^upstream\.a\.labels: "a" must be/],
    [[URL_OF_A, '--upstream.a.labels=a-b=1'], /^upstream\.a\.labels: "a-b=1" must be/],
    [[URL_OF_A, '--upstream.a.labels=a='], /^upstream\.a\.labels: "a=" must be/],
    [[URL_OF_A, `--upstream.a.labels=a=${'x'.repeat(2000)}`], /^upstream\.a\.labels: "a=xx.*…" must be/],
    [[URL_OF_A, `--upstream.a.labels=${Array.from({ length: 17 }, (_, i) => `a${i}=1`).join(',')}`], /^upstream\.a\.labels: .* must be/],
    [[URL_OF_A, '--upstream.a.allow=antrea_*'], /^upstream\.a\.allow: "antrea_\*" must be beginnings of metric names/],
    [[URL_OF_A, '--upstream.a.max-series=0'], /^upstream\.a\.max-series: "0" must be between/],
    [[URL_OF_A, '--upstream.a.server-name=a b'], /^upstream\.a\.server-name: "a b" must be a host name/],
    [Array.from({ length: 33 }, (_, i) => `--upstream.a${i}.url=http://h/`), 'upstream: 33 are more than the 32 that one agent asks'],
  ])('%j', (argv, message) => {
    expect(complaint(argv)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  it.each([
    ['upstream: {a: {uri: x}}', 'unknown setting "upstream.a.uri" (file /v line 1)'],
    ['upstream: {A: {url: x}}', /^unknown setting "upstream\.A": a name of an upstream is up to 63/],
    ['upstream: {a: http://h/}', 'upstream.a: must hold settings by name (file /v line 1)'],
    ['upstream: [a]', 'upstream: must hold settings by name (file /v line 1)'],
    ['upstream:\n  a:\n    url: ftp://h/', /^upstream\.a\.url: "ftp:\/\/h\/" must be http:.*\(file \/v line 3\)$/],
    ['upstream:\n  a:\n    interval: 2s', 'upstream.a.url: is missing (file /v line 3)'],
  ])('%j', (yaml, message) => {
    expect(complaint([], {}, yaml)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  it.each([
    '',
    'h',
    '//h/',
    'h:1/m',
    'http:h',
    'http:///m',
    'http://h/#f',
    'http://h:0x/',
    'http://h:99999/',
    'http://h:0/',
    'unix:s:/m',
    'unix:/s:m',
    'unix://h/m',
    `unix:/${'s'.repeat(107)}:/m`,
    'file:///m',
    'http://h/ m',
    'http://h\\m',
    'https://h/\n',
  ])('refuses %j for a URL', (text) => {
    expect(complaint([`--upstream.a.url=${text}`])).toMatch(/^upstream\.a\.url: /);
  });

  it('shows no credentials and no query of a URL', () => {
    for (const text of [
      'https://me:hunter2@h/m?x=hunter2',
      'https://hunter2@h/',
      'https://:hunter2@h',
      'ftp://h/?token=hunter2',
      'https://a@hunter2@h/',
    ]) {
      for (const argv of [[`--upstream.a.url=${text}`], [`--upstream.a.url=${text}`, '--upstream.a.url=http://h/']]) {
        const line = complaint(argv);
        expect(line).toMatch(/^upstream\.a\.url: /);
        expect(line).not.toContain('hunter2');
      }
    }
  });

  it('warns of a token that can be read on the way, and of one that anybody gets', () => {
    const warnings = (...argv: string[]): readonly string[] => load(argv).warnings;
    expect(warnings('--upstream.a.url=http://10.0.0.1/m', '--upstream.a.token-file=/t')).toEqual([
      'upstream.a.token-file: the token is sent over http to 10.0.0.1, where it can be read on the way',
    ]);
    expect(warnings('--upstream.a.url=https://10.0.0.1/m', '--upstream.a.insecure-skip-verify', '--upstream.a.token-file=/t')).toEqual([
      expect.stringMatching(/^upstream\.a\.insecure-skip-verify: the certificate of 10\.0\.0\.1 is not checked: .* gets the token; /),
    ]);
    for (const host of ['127.0.0.1', '[::1]', 'localhost', '127.9.9.9', 'a.localhost']) {
      expect(warnings(`--upstream.a.url=http://${host}/m`, '--upstream.a.token-file=/t')).toEqual([]);
      expect(warnings(`--upstream.a.url=https://${host}/m`, '--upstream.a.insecure-skip-verify')).toEqual([]);
    }
    expect(warnings('--upstream.a.url=unix:/s:/m', '--upstream.a.token-file=/t')).toEqual([]);
    expect(warnings('--upstream.a.url=http://127.0.0.1.evil.example/m', '--upstream.a.token-file=/t')).toHaveLength(1);
  });
});

describe('names', () => {
  const vocabulary = new Vocabulary(known);

  it('of variables mean one upstream and one member', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/);
    fc.assert(
      fc.property(name, (upstream) => {
        for (const declaration of upstreamDeclarations(upstream))
          expect(vocabulary.ofVariable(declaration.environment)).toEqual(declaration);
      }),
    );
  });

  it.each([
    'VMGAUGE_UPSTREAM_URL',
    'VMGAUGE_UPSTREAM__URL',
    'VMGAUGE_UPSTREAM_1_URL',
    'VMGAUGE_UPSTREAM_A_URI',
    'VMGAUGE_UPSTREAM_SERVICE_HOST',
    `VMGAUGE_UPSTREAM_${'A'.repeat(64)}_URL`,
  ])('%s is no setting', (variable) => {
    expect(load([], { [variable]: 'http://h/' }).warnings).toEqual([`environment ${variable} is no setting and has no effect`]);
  });

  it('hold whatever the text is', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-zA-Z0-9.=_-]{0,12}$/), { maxLength: 4 }), fc.string(), (words, value) => {
        const argv = words.map((word) => `--upstream.${word}=${value}`);
        expect(typeof complaint(argv)).toBe('string');
      }),
    );
  });
});

const settings = settingsOf(UpstreamConfig.prototype);
const defaults = new UpstreamConfig();

describe('the members', () => {
  it('cover every property', () => {
    expect(settings.map(({ property }) => property)).toEqual(Object.keys(defaults));
  });

  it.each(settings)(
    '$key: the property is the key, it has a validator, a sentence of help and a default that can be written',
    (setting) => {
      const { key, property, kind, help } = setting;
      expect(property).toBe(
        key.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) + (kind.placeholder === 'DURATION' ? 'Ms' : ''),
      );
      const validated = getMetadataStorage().getTargetValidationMetadatas(UpstreamConfig, '', false, false);
      expect(validated.map((about) => about.propertyName)).toContain(property);
      expect(help).toMatch(/^[A-Z0-9].*\.$/);
      const value: unknown = Reflect.get(defaults, property);
      expect(kind.parse([kind.format(value)])).toEqual(value);
    },
  );

  it('are found in the config', () => {
    const { config } = load([URL_OF_A, '--upstream.a.max-series=9']);
    const values = upstreamDeclarations('a').map((declaration) => valueIn(config, declaration));
    expect(values).toEqual(Object.values({ ...defaults, url: URL_OF_A.slice('--upstream.a.url='.length), maxSeries: 9 }));
  });
});
