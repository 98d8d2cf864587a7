#!/usr/bin/env node
import 'reflect-metadata';
import { AgentLogger } from './agent-logger.js';
import type { Config } from './config/config.js';
import { ConfigError } from './config/config-error.js';
import type { Known } from './config/declarations.js';
import { helpText } from './config/help.js';
import { type ConfigInput, loadConfig } from './config/load.js';
import { reloadConfig } from './config/reload.js';
import { readBounded } from './host/bounded.js';
import { type Running, serve } from './main.js';
import { COLLECTORS } from './modules/collection/collectors.js';
import { SOURCES } from './modules/instances/sources.js';
import { VERSION } from './version.js';

const CONFIG_BYTES = 1 << 20;

const known: Known = {
  collectors: COLLECTORS.map(({ about }) => ({ name: about.name, enabled: about.enabled, help: `${about.reads}.` })),
  sources: SOURCES.map(({ name, enabled, help }) => ({ name, enabled, help })),
};
const readFile = (path: string): string => readBounded(path, CONFIG_BYTES).toString('utf8');
const input = (): ConfigInput => ({ argv: process.argv.slice(2), env: process.env, readFile, known });

const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** Before there is a configuration, and where the start fails: plain, whatever the log's format. */
const complain = (line: string): void => void process.stderr.write(`vmgauge: ${line}\n`);

/** What a person can mend is one line and exit 1; anything else is a defect and keeps its trace. */
function fail(error: unknown): never {
  complain(error instanceof Error ? oneLine(error) : String(error));
  process.exit(1);
}

function oneLine(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `${error.message.replace(/^listen EADDRINUSE: /, '')}; web.listen-address chooses another`;
  if (error instanceof ConfigError || code !== undefined) return error.message;
  return error.message.split('\n')[0];
}

async function run(): Promise<void> {
  const invocation = loadConfig(input());
  if (invocation.kind === 'help') return say(helpText(known));
  if (invocation.kind === 'version') return say(`vmgauge ${VERSION} (node ${process.version})`);
  const { config, warnings } = invocation;
  const logger = new AgentLogger(config.logFormat, config.logLevel);
  for (const warning of warnings) logger.warn(warning);
  const running = await serve(config, readFile, logger);
  logger.log(`listening on ${running.address}`);
  handleSignals(running, config, logger);
}

function handleSignals(running: Running, first: Config, logger: AgentLogger): void {
  let config = first;
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    running.stop().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {
    reload(running, config, logger).then(
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

async function reload(running: Running, current: Config, logger: AgentLogger): Promise<Config> {
  const { config, changed, needRestart, warnings } = reloadConfig(current, input());
  await running.reload(config);
  for (const warning of warnings) logger.warn(warning);
  logger.log(`configuration read again; changed: ${changed.join(', ') || 'nothing'}`);
  if (needRestart.length > 0) logger.warn(`these settings need a restart: ${needRestart.join(', ')}`);
  return config;
}

run().catch(fail);
