import { COMMANDS, type Command, type CommandName, type OwnFlag } from './commands.js';
import { type Declaration, documented, type Known } from './declarations.js';

const COLUMNS = 100;

const SETTINGS =
  'Settings: each is a flag, a key of the YAML file, and an environment variable with upper case letters and _ for . and -: ' +
  '--log.level=debug, "log: {level: debug}" and VMGAUGE_LOG_LEVEL=debug say the same. A flag wins over the environment, the environment ' +
  'over the file. Lists are written with commas; a flag of a list may be repeated. <name> is any name.';

const ANSWERS =
  'A running agent is asked, at web.listen-address and with the first token of web.token-file; where none runs, this host is read once ' +
  'without one, nothing is listened on and nothing is written. An agent that is there and refuses or fails is an error. A flag that says ' +
  'how to read the host (any setting but config.*, log.* and web.*) is one that a running agent could not obey: with it, the host is read ' +
  'without an agent. In the environment and in the file such settings decide nothing.';

const INTRODUCTION = [
  'vmgauge sees the virtual machines of this Linux host from outside the guests.',
  '',
  'Usage: vmgauge [command] [flags]',
  '',
  'Commands:',
  ...COMMANDS.flatMap((command) => [`  ${usage(command)}`, ...wrap(command.help, '      ')]),
  '',
  ...wrap('vmgauge <command> --help says more of one.', ''),
  '',
  ...wrap(SETTINGS, ''),
  '',
  '  -h, --help',
  '      Print this text.',
  '  --version',
  '      Print the version.',
];

/** The text of `--help`: all settings by their first word, with defaults. */
export function helpText(known: Known): string {
  const sections = [...grouped(documented(known))].flatMap(([group, members]) => ['', `${group}:`, ...members.flatMap(describe)]);
  return `${[...INTRODUCTION, ...sections].join('\n')}\n`;
}

/** The text of `<command> --help` for those that answer and end; they have the settings of `serve`, which `--help` alone lists. */
export function commandHelp(name: CommandName): string {
  const command = COMMANDS.find((one) => one.name === name);
  if (!command) throw new Error(`no command ${name}`);
  const { help, operand, flags, runs, exitStatus = '0, or 1 with the reason on standard error.' } = command;
  const lines = [
    `Usage: vmgauge ${usage(command)} [flags]`,
    '',
    ...wrap(help, ''),
    '',
    ...(operand ? [`  ${operand.placeholder}`, ...wrap(operand.help, '      ')] : []),
    ...flags.flatMap((flag) => [`  ${spelt(flag)}`, ...wrap(withDefault(flag.help, flag.fallback ?? ''), '      ')]),
    ...(operand || flags.length > 0 ? [''] : []),
    ...(runs ? [] : [...wrap(ANSWERS, ''), '']),
    ...wrap(`The settings are those of serve: vmgauge --help lists them. Exit status: ${exitStatus}`, ''),
  ];
  return `${lines.join('\n')}\n`;
}

/** `stats ID [--window=DURATION]` */
function usage({ name, operand, flags }: Command): string {
  return [name, ...(operand ? [operand.placeholder] : []), ...flags.map((flag) => `[${spelt(flag)}]`)].join(' ');
}

function spelt({ key, kind }: OwnFlag): string {
  return kind.placeholder === null ? `--${key}` : `--${key}=${kind.placeholder}`;
}

const withDefault = (help: string, standard: string): string => `${help}${standard === '' ? '' : ` Default: ${standard}`}`;

function describe(declaration: Declaration): string[] {
  const { key, kind, help } = declaration;
  const flag = kind.placeholder === null ? `--[no-]${key}` : `--${key}=${kind.placeholder}`;
  return [`  ${flag}`, ...wrap(withDefault(told(declaration, help.replace(/`/g, '')), defaultOf(declaration)), '      ')];
}

/** Rows for the README: setting, environment, default, what it does. */
export function configTable(known: Known): string {
  const rows = [...grouped(documented(known)).values()].flat().map((declaration) => {
    const { key, environment, help } = declaration;
    const standard = defaultOf(declaration);
    return row([
      code(key),
      code(environment),
      standard === '' ? 'none' : standard.split(', ').map(code).join(', '),
      cell(told(declaration, help)),
    ]);
  });
  return `${[row(['Setting', 'Environment', 'Default', 'What it does']), row(['---', '---', '---', '---']), ...rows].join('\n')}\n`;
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const code = (text: string): string => `\`${text}\``;
/** Outside code spans `*`, `_`, `<` and `|` are Markdown's; spans in a collector's own help stay as they are. */
const cell = (text: string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part.replace(/\|/g, '\\|') : part.replace(/[*_<>|[\]]/g, '\\$&')))
    .join('');

const defaultOf = ({ kind, fallback }: Declaration): string => kind.format(fallback);
const told = ({ reload }: Declaration, help: string): string => {
  const sentence = /[.!?]$/.test(help) ? help : `${help}.`;
  return reload ? `${sentence} SIGHUP takes a change over.` : sentence;
};

/** By the first word of the key, in the order declared; where there are toggles, sorted, so that each stands above its own settings. */
function grouped(declared: readonly Declaration[]): ReadonlyMap<string, readonly Declaration[]> {
  const groups = new Map<string, Declaration[]>();
  for (const declaration of declared) {
    const [group] = declaration.key.split('.');
    groups.set(group, [...(groups.get(group) ?? []), declaration]);
  }
  for (const members of groups.values()) {
    if (members.some(({ target }) => 'map' in target)) members.sort((a, b) => (a.key < b.key ? -1 : 1));
  }
  return groups;
}

/** Lines of whole words; a word longer than a line has one of its own. */
function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(indent + word);
  }
  return lines;
}
