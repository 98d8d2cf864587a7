import type { Config } from './config/config.js';
import { parseTokens } from './http/tokens.js';
import type { Settings } from './model/settings.js';

/** The rooms' words for the configuration. @param readFile for token files; @throws what it throws */
export function settingsOf(config: Config, readFile: (path: string) => string): Partial<Settings> {
  return {
    maxAgeMs: config.collectionMaxAgeMs,
    sweepIntervalMs: config.collectionIntervalMs,
    rescanIntervalMs: config.discoveryIntervalMs,
    slowIntervalMs: config.collectionSlowIntervalMs,
    waitIntervalMs: config.collectorWaitIntervalMs,
    pssIntervalMs: config.collectorPssIntervalMs,
    stoppedRetentionMs: config.collectionStoppedRetentionMs,
    maxRequests: config.webMaxRequests,
    telemetryPath: config.webTelemetryPath,
    executables: config.discoveryVmmExecutables,
    collectors: config.collectors,
    sources: config.sources,
    hypemanDataDir: config.sourceHypemanDataDir,
    registrationFile: config.sourceFilePath,
    registrationStore: config.sourceRegistrationStore,
    registrationTokens: tokensIn(config.sourceRegistrationTokenFile, readFile),
    exporterMetrics: !config.webDisableExporterMetrics,
  };
}

/** Tokens of a file; none without one. @throws Error for a file that holds none: leaving the door open would be worse */
export function tokensIn(path: string, readFile: (path: string) => string): readonly string[] {
  if (path === '') return [];
  const tokens = parseTokens(readFile(path));
  if (tokens.length === 0) throw new Error(`${path} holds no token`);
  return tokens;
}
