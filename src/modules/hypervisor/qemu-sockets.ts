import { type CommandLine, valuesOf } from './argv.js';
import type { ProcessEvidence } from './driver.js';
import { type Properties, parseProperties } from './properties.js';
import { parseDescriptor } from './quantities.js';

/**
 * Paths of the QMP sockets that the process listens on: -qmp, and -chardev with -mon in control mode. Human monitors (-monitor, readline
 * mode) are left out, and so are sockets that the process is a client of.
 */
export function qmpSockets(line: CommandLine, evidence: ProcessEvidence): readonly string[] {
  const chardevs = chardevsById(line);
  const monitors = valuesOf(line, 'mon')
    .map((value) => parseProperties(value, 'chardev'))
    .filter((monitor) => monitor.get('mode') === 'control')
    .flatMap((monitor) => chardevs.get(monitor.get('chardev') ?? '') ?? []);
  const direct = ['qmp', 'qmp-pretty'].flatMap((name) => valuesOf(line, name)).flatMap((value) => shorthand(value, chardevs));
  return [...new Set([...direct, ...monitors].flatMap((socket) => pathOf(socket, evidence) ?? []))];
}

function chardevsById(line: CommandLine): ReadonlyMap<string, Properties> {
  const chardevs = new Map<string, Properties>();
  for (const value of valuesOf(line, 'chardev')) {
    const properties = parseProperties(value, 'backend');
    if (properties.get('backend') === 'socket') chardevs.set(properties.get('id') ?? '', properties);
  }
  return chardevs;
}

/** `unix:P,server=on,...`, `unix:fd=N,...` or `chardev:ID`. */
function shorthand(value: string, chardevs: ReadonlyMap<string, Properties>): Properties[] {
  if (value.startsWith('unix:')) return [parseProperties(value.slice('unix:'.length), 'path')];
  const chardev = value.startsWith('chardev:') ? chardevs.get(value.slice('chardev:'.length)) : undefined;
  return chardev ? [chardev] : [];
}

function pathOf(socket: Properties, { listening }: ProcessEvidence): string | undefined {
  const descriptor = parseDescriptor(socket.get('fd'));
  if (descriptor !== undefined) return listening.get(descriptor);
  const serves = SWITCHED_ON.has(socket.get('server') ?? '') && !SWITCHED_ON.has(socket.get('abstract') ?? '');
  return serves ? socket.get('path') : undefined;
}

const SWITCHED_ON: ReadonlySet<string> = new Set(['on', 'yes', 'true', 'y']);
