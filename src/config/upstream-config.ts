import { IsBoolean } from 'class-validator';
import type { UpstreamSettings } from '../model/upstream.js';
import { bool, count, duration, list, text, url } from './kind.js';
import { Setting } from './setting.js';
import {
  AreLabels,
  AreMetricPrefixes,
  Between,
  BetweenDurations,
  IsFingerprint,
  IsHostName,
  IsPathOrEmpty,
  IsUpstreamUrl,
} from './validators.js';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const MIB = 1 << 20;

/** One upstream, as `Config` is the agent: keys are what stands behind `upstream.<name>.`. All of them take a restart. */
export class UpstreamConfig {
  @Setting({
    key: 'url',
    kind: url,
    help: 'Another exporter whose page is passed on with the label upstream="NAME": http://HOST:PORT/PATH, https://… or unix:/SOCKET:/PATH. NAME is lower case letters, digits and dashes; there may be 32 of them. Without credentials: those are for token-file.',
  })
  @IsUpstreamUrl()
  readonly url: string = '';

  @Setting({
    key: 'token-file',
    kind: text('FILE'),
    help: 'File with a bearer token, read again for each question. The token goes to this URL only: no redirect is followed.',
  })
  @IsPathOrEmpty()
  readonly tokenFile: string = '';

  @Setting({
    key: 'ca-file',
    kind: text('FILE'),
    help: 'Certificates in PEM that may have signed that of the server, instead of those that Node has; read again for each question.',
  })
  @IsPathOrEmpty()
  readonly caFile: string = '';

  @Setting({
    key: 'certificate-sha256',
    kind: text('HEX'),
    help: 'SHA-256 of the certificate of the server (openssl x509 -fingerprint -sha256): this one and no other is believed, whoever signed it, whatever its names and its dates are.',
  })
  @IsFingerprint()
  readonly certificateSha256: string = '';

  @Setting({
    key: 'server-name',
    kind: text('NAME'),
    help: 'Name that the certificate must have, instead of the host of the URL; it is sent as SNI.',
  })
  @IsHostName()
  readonly serverName: string = '';

  @Setting({
    key: 'insecure-skip-verify',
    kind: bool,
    help: 'Believe whoever answers, and send the token there. certificate-sha256 is as easy and safe.',
  })
  @IsBoolean()
  readonly insecureSkipVerify: boolean = false;

  @Setting({ key: 'labels', kind: list('NAME=VALUE'), help: 'Labels that are added to each sample that has none of that name.' })
  @AreLabels()
  readonly labels: readonly string[] = [];

  @Setting({
    key: 'allow',
    kind: list('PREFIX'),
    help: 'Families that are passed on, by the beginning of their name. Empty: all but those of this agent’s own names (vmgauge_, hypeman_, kata_), which another agent’s page has and a guest’s must not.',
  })
  @AreMetricPrefixes()
  readonly allow: readonly string[] = [];

  @Setting({
    key: 'deny',
    kind: list('PREFIX'),
    help: 'Families that are not passed on, by the beginning of their name, whatever allow says.',
  })
  @AreMetricPrefixes()
  readonly deny: readonly string[] = [];

  @Setting({
    key: 'interval',
    kind: duration,
    help: 'How often it is asked. What it said last is passed on until three intervals are over without an answer.',
  })
  @BetweenDurations(SECOND, HOUR)
  readonly intervalMs: number = 15 * SECOND;

  @Setting({
    key: 'timeout',
    kind: duration,
    help: 'Longest time from looking its name up to the last byte of its answer; no longer than interval.',
  })
  @BetweenDurations(50, HOUR)
  readonly timeoutMs: number = 5 * SECOND;

  @Setting({ key: 'max-bytes', kind: count, help: 'An answer that is longer is refused; it is held in memory while it is read.' })
  @Between(1024, 256 * MIB)
  readonly maxBytes: number = 16 * MIB;

  @Setting({ key: 'max-series', kind: count, help: 'Series beyond this number are left out and counted.' })
  @Between(1, 1_000_000)
  readonly maxSeries: number = 50_000;
}

/** In the words of the rooms. */
export function upstreamSettings(upstreams: ReadonlyMap<string, UpstreamConfig>): readonly UpstreamSettings[] {
  return [...upstreams].map(([name, { labels, certificateSha256, timeoutMs, intervalMs, ...rest }]) => ({
    ...rest,
    name,
    intervalMs,
    // A default that is longer than a short interval gives way.
    timeoutMs: Math.min(timeoutMs, intervalMs),
    certificateSha256: certificateSha256.replaceAll(':', '').toLowerCase(),
    labels: new Map(labels.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
  }));
}
