import { isLoopbackHost, parseUpstreamUrl } from '../model/upstream-url.js';
import { ConfigError } from './config-error.js';
import { upstreamDeclarations } from './declarations.js';
import { badValue, type GivenSettings } from './given.js';
import type { UpstreamConfig } from './upstream-config.js';

const MAX_UPSTREAMS = 32;
/** Members that only TLS gives a meaning. */
const OF_TLS = ['ca-file', 'certificate-sha256', 'server-name', 'insecure-skip-verify'] as const;

/** Before each has its declarations: those of thousands take seconds, which a reload would take from everybody. @throws ConfigError */
export function checkNumber(names: readonly string[]): void {
  if (names.length > MAX_UPSTREAMS)
    throw new ConfigError(`upstream: ${names.length} are more than the ${MAX_UPSTREAMS} that one agent asks`);
}

/** What members of an upstream mean for each other. @throws ConfigError */
export function checkUpstreams(upstreams: ReadonlyMap<string, UpstreamConfig>, given: GivenSettings): void {
  for (const [name, upstream] of upstreams) new UpstreamCheck(name, upstream, given).run();
}

class UpstreamCheck {
  constructor(
    private readonly name: string,
    private readonly upstream: UpstreamConfig,
    private readonly given: GivenSettings,
  ) {}

  run(): void {
    const { url, intervalMs, timeoutMs, certificateSha256, caFile, insecureSkipVerify } = this.upstream;
    if (url === '') throw new ConfigError(`upstream.${this.name}.url: is missing (${this.anyOrigin()})`);
    if (timeoutMs > intervalMs && this.given.has(this.key('timeout')))
      throw this.bad('timeout', `must not be longer than ${this.key('interval')}`);
    if (parseUpstreamUrl(url)?.kind !== 'https') {
      const idle = OF_TLS.find((member) => this.isOn(member));
      if (idle !== undefined) throw this.bad(idle, `has no meaning: ${this.key('url')} is not https`);
    }
    if (insecureSkipVerify && certificateSha256 !== '') throw this.contradicts('certificate-sha256', 'insecure-skip-verify');
    if (insecureSkipVerify && caFile !== '') throw this.contradicts('ca-file', 'insecure-skip-verify');
    if (certificateSha256 !== '' && caFile !== '') throw this.contradicts('ca-file', 'certificate-sha256');
  }

  private key(member: string): string {
    return `upstream.${this.name}.${member}`;
  }

  private isOn(member: (typeof OF_TLS)[number]): boolean {
    const texts = this.given.get(this.key(member))?.texts ?? [''];
    return !['', 'false'].includes(texts[0]);
  }

  private contradicts(member: string, other: string): ConfigError {
    return this.bad(member, `contradicts ${this.key(other)}: only one of them can say who is believed`);
  }

  private bad(member: string, must: string): ConfigError {
    const key = this.key(member);
    return badValue({ key }, this.given.get(key) ?? { texts: [''], origin: 'default' }, must);
  }

  private anyOrigin(): string {
    const { key } = upstreamDeclarations(this.name).find((declaration) => this.given.has(declaration.key)) ?? { key: '' };
    return this.given.get(key)?.origin ?? 'default';
  }
}

/** What leaves secrets to whoever listens or answers on the way. */
export function upstreamWarnings(upstreams: ReadonlyMap<string, UpstreamConfig>): readonly string[] {
  return [...upstreams].flatMap(([name, { url, tokenFile, insecureSkipVerify }]) => {
    const target = parseUpstreamUrl(url);
    if (!target || target.kind === 'unix' || isLoopbackHost(target.host)) return [];
    if (target.kind === 'http' && tokenFile !== '')
      return [`upstream.${name}.token-file: the token is sent over http to ${target.host}, where it can be read on the way`];
    if (insecureSkipVerify) {
      const what =
        tokenFile === '' ? 'anyone on the way can answer in its place' : 'anyone on the way can answer in its place and gets the token';
      return [
        `upstream.${name}.insecure-skip-verify: the certificate of ${target.host} is not checked: ${what}; certificate-sha256 is safe`,
      ];
    }
    return [];
  });
}
