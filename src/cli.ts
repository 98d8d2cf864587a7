#!/usr/bin/env node
import 'reflect-metadata';
import { answer } from './commands/answer.js';
import { KataError } from './commands/command-error.js';
import { isSupportedNode, OLDEST_NODE } from './commands/node-version.js';
import { print } from './commands/terminal.js';
import { ConfigError } from './config/config-error.js';
import type { Known } from './config/declarations.js';
import { commandHelp, helpText } from './config/help.js';
import { type ConfigInput, loadConfig } from './config/load.js';
import { readBounded } from './host/bounded.js';
import { shown } from './model/terminal.js';
import { COLLECTORS } from './modules/collection/collectors.js';
import { HOST_COLLECTORS } from './modules/collection/host-collectors.js';
import { SOURCES } from './modules/instances/sources.js';
import { VERSION } from './version.js';

const CONFIG_BYTES = 1 << 20;

const known: Known = {
  collectors: [...COLLECTORS, ...HOST_COLLECTORS].map(({ about }) => ({
    name: about.name,
    enabled: about.enabled,
    help: `${about.reads}.`,
  })),
  sources: SOURCES.map(({ name, enabled, help }) => ({ name, enabled, help })),
};
const readFile = (path: string): string => readBounded(path, CONFIG_BYTES).toString('utf8');
const input: ConfigInput = { argv: process.argv.slice(2), env: process.env, readFile, known };

const say = (text: string): Promise<void> => print(process.stdout, text);
/** Plain lines for who typed the command, whatever the log's format. */
const complain = (line: string): void => void process.stderr.write(`vmgauge: ${shown(line)}\n`);

/** One line and exit 1. */
function fail(error: unknown): never {
  if (error instanceof KataError) process.stderr.write(`${shown(error.message)}\n`);
  else complain(error instanceof Error ? oneLine(error) : String(error));
  process.exit(1);
}

function oneLine(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `${error.message.replace(/^listen EADDRINUSE: /, '')}; web.listen-address chooses another`;
  if (error instanceof ConfigError || code !== undefined) return error.message;
  return error.message.split('\n')[0];
}

async function run(): Promise<void> {
  // Older ones start and fail here and there, where they lack what newer ones have.
  if (!isSupportedNode(process.versions.node))
    fail(`this is Node ${process.versions.node}, and ${OLDEST_NODE} or later is needed; npm start brings its own`);
  const invocation = loadConfig(input);
  if (invocation.kind === 'version') return say(`vmgauge ${VERSION} (node ${process.version})\n`);
  if (invocation.kind === 'help') return say(invocation.command === 'serve' ? helpText(known) : commandHelp(invocation.command));
  const { kind } = invocation;
  if (kind === 'serve') {
    // Most of the program, and most of the time to load it: the other commands seldom need it.
    const { runAgent } = await import('./commands/serve.js');
    return runAgent(invocation, input, fail);
  }
  for (const warning of invocation.warnings) complain(warning);
  if (kind === 'trace') {
    const { runHelper } = await import('./commands/trace.js');
    return runHelper(invocation, fail);
  }
  const terminal = process.stdout.isTTY === true;
  // Node knows NO_COLOR and TERM=dumb.
  const colours = terminal && process.stdout.hasColors();
  const { text, exitStatus } = await answer(kind, invocation, { readFile, complain, terminal, colours });
  await say(text);
  process.exitCode = exitStatus;
}

run().catch(fail);
