import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A certificate of X.509 (RFC 5280) and its key in PEM, as a TLS server takes them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** SHA-256 of its DER, 64 hex digits. */
  readonly fingerprint: string;
}

export interface Wanted {
  /** DNS names and IPv4 addresses that it is for. */
  readonly names?: readonly string[];
  /** Days from now that it begins and ends. */
  readonly days?: readonly [from: number, to: number];
}

const DAY_MS = 86_400_000;
const OIDS = {
  commonName: '0603550403',
  basicConstraints: '0603551d13',
  subjectAltName: '0603551d11',
  ecdsaWithSha256: '06082a8648ce3d040302',
} as const;

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** One value of DER: tag, length, content (X.690). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const nameOf = (commonName: string): Buffer => sequence(der(0x31, sequence(hex(OIDS.commonName), der(0x0c, Buffer.from(commonName)))));
const timeIn = (days: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(Date.now() + days * DAY_MS).toISOString().replace(/[-:T]|\..*/g, '')}Z`));
const extension = (oid: string, value: Buffer): Buffer => sequence(hex(oid), der(0x04, value));
const altName = (name: string): Buffer =>
  /^[\d.]+$/.test(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));

/** Signs certificates; trusted where its own is in the CA file. */
export class Authority {
  readonly cert: string;
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  private serial = 1;

  constructor(private readonly name = 'vmgauge test CA') {
    const isAuthority = extension(OIDS.basicConstraints, sequence(der(0x01, hex('ff'))));
    this.cert = this.signed(this.name, this.keys.publicKey, [isAuthority], [-1, 10]).cert;
  }

  /** For a server; on 127.0.0.1 and localhost unless other names are wanted. */
  issue({ names = ['localhost', '127.0.0.1'], days = [-1, 10] }: Wanted = {}): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const alternatives = extension(OIDS.subjectAltName, sequence(...names.map(altName)));
    const { cert, fingerprint } = this.signed('server', publicKey, [alternatives], days);
    return { cert, fingerprint, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
  }

  private signed(subject: string, key: KeyObject, extensions: readonly Buffer[], [from, to]: readonly [number, number]) {
    const algorithm = sequence(hex(OIDS.ecdsaWithSha256));
    const about = sequence(
      der(0xa0, der(0x02, hex('02'))),
      der(0x02, Buffer.from([this.serial++])),
      algorithm,
      nameOf(this.name),
      sequence(timeIn(from), timeIn(to)),
      nameOf(subject),
      key.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', about, this.keys.privateKey);
    const whole = sequence(about, algorithm, der(0x03, hex('00'), signature));
    const lines = whole.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
    return {
      cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
      fingerprint: createHash('sha256').update(whole).digest('hex'),
    };
  }
}
