import { AgentLogger } from '../agent-logger.js';
import type { Config } from '../config/config.js';
import type { Call, ConfigInput } from '../config/load.js';
import { reloadConfig } from '../config/reload.js';
import { type Running, serve } from '../main.js';

/** Runs the agent until SIGTERM or SIGINT. @param fail ends the process with the error. @throws when it cannot start */
export async function runAgent({ config, warnings }: Call, input: ConfigInput, fail: (error: unknown) => never): Promise<void> {
  const logger = new AgentLogger(config.logFormat, config.logLevel);
  for (const warning of warnings) logger.warn(warning);
  const running = await serve(config, input.readFile, logger);
  logger.log(`listening on ${running.address}`);
  stopOnSignals(running, logger, fail);
  reloadOnSignal(running, config, input, logger);
}

function stopOnSignals(running: Running, logger: AgentLogger, fail: (error: unknown) => never): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    running.stop().then(() => {
      logger.log('stopped');
      process.exit(0);
    }, fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function reloadOnSignal(running: Running, first: Config, input: ConfigInput, logger: AgentLogger): void {
  let config = first;
  process.on('SIGHUP', () => {
    reload(running, config, input, logger).then(
      (fresh) => {
        config = fresh;
        running.reloaded(true);
      },
      (error: unknown) => {
        running.reloaded(false);
        logger.error(`reload refused, the old configuration stays: ${error instanceof Error ? error.message : String(error)}`);
      },
    );
  });
}

async function reload(running: Running, current: Config, input: ConfigInput, logger: AgentLogger): Promise<Config> {
  const { config, changed, needRestart, warnings } = reloadConfig(current, input);
  await running.reload(config);
  for (const warning of warnings) logger.warn(warning);
  const tokenFiles = [config.webTokenFile && 'web.token-file', config.sourceRegistrationTokenFile && 'source.registration.token-file'];
  const words = tokenFiles.filter((key) => key !== '').join(', ');
  logger.log(`configuration read again; changed: ${changed.join(', ') || 'nothing'}${words && `; tokens read again: ${words}`}`);
  if (needRestart.length > 0) logger.warn(`these settings need a restart: ${needRestart.join(', ')}`);
  return config;
}
