import { MAX_WINDOW_SECONDS } from '../modules/collection/history.js';
import { parseDuration } from './duration.js';
import { choice, type Kind } from './kind.js';

/** A flag that only one command has: no environment variable and no key in the file. */
export interface OwnFlag {
  readonly key: string;
  /** Its values stay text, in one spelling. */
  readonly kind: Kind<string>;
  readonly help: string;
  /** Null: nothing, where the flag is not given. */
  readonly fallback: string | null;
}

export interface Command {
  readonly name: string;
  readonly help: string;
  /** The one word that stands behind the name; missing where none may. */
  readonly operand?: { readonly placeholder: string; readonly help: string };
  readonly flags: readonly OwnFlag[];
  /** It asks no agent and reads no instances: it runs until SIGTERM. */
  readonly runs?: true;
  /** What its exit status says, where that is more than that it answered. */
  readonly exitStatus?: string;
}

const window: Kind<string> = {
  placeholder: 'DURATION',
  must: `must be whole seconds from 1s to ${MAX_WINDOW_SECONDS}s, such as 30s or 5m`,
  repeatable: false,
  parse: ([text]) => {
    const seconds = (parseDuration(text) ?? Number.NaN) / 1000;
    return Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_WINDOW_SECONDS ? `${seconds}s` : undefined;
  },
  format: (value) => value,
};

/** A flag that is there or not. */
const on: Kind<string> = {
  placeholder: null,
  must: 'must be true or false',
  repeatable: false,
  parse: ([text]) => (text === 'true' || text === 'false' ? text : undefined),
  format: (value) => value,
};

const text = (placeholder: string): Kind<string> => ({
  placeholder,
  must: 'must be one word',
  repeatable: false,
  parse: ([value]) => (/^[^\s\0]+$/.test(value) ? value : undefined),
  format: (value) => value,
});

const DECLARED = [
  { name: 'serve', help: 'Run the agent until SIGTERM. This is the command when none is given.', flags: [], runs: true },
  {
    name: 'list',
    help: 'List the instances of this host, sorted by id.',
    flags: [
      {
        key: 'format',
        kind: choice(['table', 'json']),
        help: 'A table for people, or the JSON of GET /instances with all its pages in one.',
        fallback: 'table',
      },
    ],
  },
  {
    name: 'stats',
    help: 'Print the stats document of one instance, as GET /instances/{id}/stats gives it: indented on a terminal, else one line.',
    operand: { placeholder: 'ID', help: 'Id or name of the instance, or a beginning of its id that no other id has.' },
    flags: [
      {
        key: 'window',
        kind: window,
        help: 'Form the rates over this long instead of over the last two readings. Without an agent the command takes as long, or one second.',
        fallback: null,
      },
    ],
  },
  {
    name: 'metrics',
    help: 'Print the Prometheus text of one running instance or Kata sandbox, as GET /instances/{id}/metrics gives it.',
    operand: { placeholder: 'ID', help: 'Full id of an instance that runs. Neither a beginning of it nor a name will do.' },
    flags: [],
  },
  {
    name: 'doctor',
    help: 'Say what this host can give, what is missing, and what to do about it, as GET /capabilities gives it.',
    flags: [{ key: 'json', kind: on, help: 'The document instead of the report.', fallback: null }],
    exitStatus: '0 where all that is needed works, 1 where something is missing or nobody can tell, or with the reason on standard error.',
  },
  {
    name: 'trace',
    help: 'Trace for an agent that has not the rights for it, until SIGTERM: listens at a socket that the agent finds by tracing.helper-socket, and runs bpftrace while it is connected. Has to be root. The agent chooses what is traced of which process, never how; tracing.program and tracing.blocks are the only settings that matter here.',
    flags: [
      {
        key: 'socket',
        kind: text('FILE'),
        help: 'Where to listen. Without it, at the socket that systemd hands over (LISTEN_FDS).',
        fallback: null,
      },
      {
        key: 'socket-group',
        kind: text('GROUP'),
        help: 'Name or number of the group that may connect, beside root. Without it, root alone.',
        fallback: null,
      },
    ],
    runs: true,
  },
] as const satisfies readonly Command[];

export type CommandName = (typeof DECLARED)[number]['name'];

/** The commands, the first is what a bare `vmgauge` does. */
export const COMMANDS: readonly (Command & { readonly name: CommandName })[] = DECLARED;
