import type { Config } from './config/config.js';
import { ConfigError, quoted, reasonOf } from './config/config-error.js';
import { upstreamSettings } from './config/upstream-config.js';
import { parseTokens } from './http/tokens.js';
import { type Settings, TRACING_BLOCKS } from './model/settings.js';

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
    registrationTokens: tokensIn('source.registration.token-file', config.sourceRegistrationTokenFile, readFile),
    kataCriLabels: config.kataCriLabels,
    kataProcStatusUnit: config.kataProcStatusUnit,
    shimSocketRuntimes: config.shimSocketRuntimes,
    shimSocketIntervalMs: config.shimSocketIntervalMs,
    shimExcludeFamilies: config.shimExcludeFamilies,
    vmmIntervalMs: config.vmmIntervalMs,
    vmmDeadlineMs: config.vmmDeadlineMs,
    qmpMode: config.vmmQmp,
    qmpReserved: config.vmmQmpReserved,
    qmpBalloonPolling: config.vmmQmpBalloonPolling,
    cloudHypervisorApi: config.vmmCloudHypervisor,
    firecrackerApi: config.vmmFirecracker,
    firecrackerMetrics: config.vmmFirecrackerMetrics,
    ovsIntervalMs: config.ovsIntervalMs,
    ovsDeadlineMs: config.ovsDeadlineMs,
    ovsDirectories: config.ovsRunDirectories,
    ovsFlowMonitor: config.ovsFlowMonitor,
    antreaFamilies: config.antreaFamilies,
    conntrackZonesIntervalMs: config.conntrackZonesIntervalMs,
    conntrackZonesMaxEntries: config.conntrackZonesMaxEntries,
    limitsIntervalMs: config.limitsIntervalMs,
    limitsThresholds: [config.limitsWarningPercent, config.limitsCriticalPercent, config.limitsEmergencyPercent],
    tracing: config.tracingMode,
    tracingProgram: config.tracingProgram,
    tracingHelperSocket: config.tracingHelperSocket,
    tracingBlocks: TRACING_BLOCKS.filter((block) => config.tracingBlocks.includes(block)),
    tracingIntervalMs: config.tracingIntervalMs,
    tracingProcessNames: config.tracingProcessNames,
    socketsIntervalMs: config.tracingSocketsIntervalMs,
    rateLimit: config.webRateLimit,
    rateBurst: config.webRateBurst,
    upstreams: upstreamSettings(config.upstreams),
    exporterMetrics: !config.webDisableExporterMetrics,
  };
}

/** Tokens of a file; none without one. @throws ConfigError for a file that holds none: leaving the door open would be worse */
export function tokensIn(key: string, path: string, readFile: (path: string) => string): readonly string[] {
  if (path === '') return [];
  const tokens = parseTokens(readTokens(key, path, readFile));
  if (tokens.length === 0) throw new ConfigError(`${key}: ${quoted(path)} holds no token`);
  return tokens;
}

function readTokens(key: string, path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (error) {
    throw new ConfigError(`${key}: ${quoted(path)} cannot be read: ${reasonOf(error)}`);
  }
}
