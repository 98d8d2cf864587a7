import type { CommandName } from '../config/commands.js';
import type { Config } from '../config/config.js';
import type { Call } from '../config/load.js';
import { ownerOf } from '../host/listener-owner.js';
import { shown } from '../model/terminal.js';
import { tokensIn } from '../settings-of.js';
import { agentAddress } from './agent-address.js';
import { AgentAnswers } from './agent-answers.js';
import type { Answers } from './answers.js';
import { NoAgentError } from './command-error.js';
import { diagnose, doctorText } from './doctor.js';
import { allInstances, listText } from './list.js';
import { metricsText } from './metrics.js';
import { checkKataId, checkKey, statsJson } from './stats.js';
import { indented } from './terminal.js';

/** Commands that answer and end. */
export type AnsweringCommand = Exclude<CommandName, 'serve' | 'trace'>;

/** What the program around a command gives it. */
export interface Surroundings {
  readonly readFile: (path: string) => string;
  /** A line for standard error. */
  readonly complain: (line: string) => void;
  /** Whether people read standard output. */
  readonly terminal: boolean;
  /** Whether they see colours there. */
  readonly colours: boolean;
}

/** All of standard output, and how the program ends. */
export interface Said {
  readonly text: string;
  readonly exitStatus: 0 | 1;
}

/** Made after the words of the command are found good, and run once or twice: nothing is printed before it is done. */
type Work = (answers: Answers) => Promise<Said>;

/** Settings that say where an agent is and how this process speaks; all others say how to read the host. */
const ABOUT_THE_AGENT = /^(config|log|web)\./;

const WORKS: Readonly<Record<AnsweringCommand, (call: Call, surroundings: Surroundings) => Work>> = {
  list: ({ options }, { terminal }) => {
    const json = options.get('format') === 'json';
    return async (answers) => {
      const instances = await allInstances(answers);
      if (json) return said(document(JSON.stringify({ instances, next_cursor: null }), terminal));
      return said(shown(listText(instances, answers.url, Date.now())));
    };
  },
  stats: ({ operand, options }, { terminal }) => {
    checkKey(operand);
    return async (answers) => said(document(await statsJson(answers, operand, options.get('window')), terminal));
  },
  metrics: ({ operand }, { terminal }) => {
    checkKataId(operand);
    return async (answers) => {
      const text = await metricsText(answers, operand);
      return said(terminal ? shown(text) : text);
    };
  },
  doctor: ({ options }, { terminal, colours }) => {
    const json = options.get('json') === 'true';
    return async (answers) => {
      const diagnosis = await diagnose(answers);
      const text = json ? document(diagnosis.json, terminal) : doctorText(diagnosis, answers.address, colours);
      return { text, exitStatus: diagnosis.healthy ? 0 : 1 };
    };
  },
};

const said = (text: string): Said => ({ text, exitStatus: 0 });

const document = (json: string, terminal: boolean): string => `${terminal ? indented(json) : json}\n`;

/** @throws CommandError, ConfigError, and what a source finds wrong with its configuration */
export async function answer(kind: AnsweringCommand, call: Call, surroundings: Surroundings): Promise<Said> {
  const work = WORKS[kind](call, surroundings);
  const address = call.flags.every((key) => ABOUT_THE_AGENT.test(key)) ? agentAddress(call.config.webListenAddress) : null;
  if (!address) return fromHost(work, call.config, surroundings);
  try {
    return await work(
      new AgentAnswers(
        address,
        () => firstToken(call.config, surroundings),
        () => readersOf(call.config),
      ),
    );
  } catch (error) {
    if (!(error instanceof NoAgentError)) throw error;
    if (error.note !== null) surroundings.complain(error.note);
    return fromHost(work, call.config, surroundings);
  }
}

const firstToken = ({ webTokenFile }: Config, { readFile }: Surroundings): string | undefined =>
  tokensIn('web.token-file', webTokenFile, readFile)[0];

/** Users who know the tokens anyway. */
function readersOf({ webTokenFile }: Config): ReadonlySet<number> {
  const own = process.getuid?.();
  return new Set([0, own, ownerOf(webTokenFile)].filter((uid) => uid !== undefined));
}

async function fromHost(work: Work, config: Config, { readFile, complain }: Surroundings): Promise<Said> {
  // Loaded when there is no agent: it is two thirds of the program, and of the time to load it.
  const { OwnAnswers } = await import('./own-answers.js');
  const own = await OwnAnswers.read(config, readFile, complain);
  try {
    return await work(own);
  } finally {
    await own.close();
  }
}
