import type { Config } from './config.js';
import { ConfigError } from './config-error.js';
import { badValue, type GivenSettings } from './given.js';
import { parseListenAddress } from './listen-address.js';
import { upstreamWarnings } from './upstream-checks.js';

/** First parts of the paths that the agent answers itself; the Prometheus page cannot stand at or below one. */
export const OWN_ROUTES = [
  'instances',
  'stats',
  'sandboxes',
  'agent-url',
  'livez',
  'readyz',
  'health',
  'openapi.yaml',
  'openapi.json',
  'docs',
  'sd',
  'capabilities',
] as const;

/** What one setting means for another. @returns warnings. @throws ConfigError */
export function checkTogether(config: Config, given: GivenSettings): readonly string[] {
  checkTelemetryPath(config, given);
  checkThresholds(config, given);
  return [...checkReach(config, given), ...upstreamWarnings(config.upstreams)];
}

const originOf = (given: GivenSettings, key: string): string => given.get(key)?.origin ?? 'default';

function checkTelemetryPath({ webTelemetryPath: path }: Config, given: GivenSettings): void {
  const key = 'web.telemetry-path';
  const [, first] = path.split('/');
  if (!OWN_ROUTES.some((route) => route === first)) return;
  throw badValue({ key }, { texts: [path], origin: originOf(given, key) }, `must not begin with /${first}, which the agent answers itself`);
}

/** Each is no less than the one below it. */
function checkThresholds(config: Config, given: GivenSettings): void {
  const { limitsWarningPercent: warning, limitsCriticalPercent: critical, limitsEmergencyPercent: emergency } = config;
  const check = (key: string, value: number, below: string, least: number): void => {
    if (value >= least) return;
    throw badValue({ key }, { texts: [String(value)], origin: originOf(given, key) }, `must be no less than ${below}, which is ${least}`);
  };
  check('limits.critical-percent', critical, 'limits.warning-percent', warning);
  check('limits.emergency-percent', emergency, 'limits.critical-percent', critical);
}

function checkReach(config: Config, given: GivenSettings): readonly string[] {
  const { webListenAddress: address, webTokenFile: tokens, webAllowUnauthenticated: open } = config;
  if (open && tokens !== '') return ['web.allow-unauthenticated has no effect because web.token-file is set: tokens are asked for'];
  if (parseListenAddress(address)?.loopback !== false || tokens !== '') return [];
  if (open)
    return [
      `web.listen-address ${JSON.stringify(address)} can be reached from other hosts and web.allow-unauthenticated lets everyone read`,
    ];
  throw new ConfigError(
    `web.listen-address: ${JSON.stringify(address)} can be reached from other hosts (${originOf(given, 'web.listen-address')}): ` +
      'set web.token-file to ask for tokens, or web.allow-unauthenticated to let everyone read',
  );
}
