import { mibToBytes } from '../../model/units.js';
import { type CommandLine, valuesOf } from './argv.js';
import { type Properties, parseProperties } from './properties.js';
import { parseCount, parseSize } from './quantities.js';

/** Levels of -smp whose product is the number of vCPUs where neither `cpus` nor `maxcpus` is given (hw/core/machine-smp.c). */
const TOPOLOGY = ['drawers', 'books', 'sockets', 'dies', 'clusters', 'modules', 'cores', 'threads'] as const;

/** An option that QEMU merges over its occurrences: the last word on each key counts. */
export function mergedProperties(line: CommandLine, name: string, implied: string): Properties {
  return new Map(valuesOf(line, name).flatMap((value) => [...parseProperties(value, implied)]));
}

/** -machine and -M are one option. */
export const machineOf = (line: CommandLine): Properties =>
  new Map([...mergedProperties(line, 'machine', 'type'), ...mergedProperties(line, 'M', 'type')]);

/** Whether what is not said has QEMU's default: not where part of argv is unseen, and not in the machine that has nothing. */
export const hasDefaults = (line: CommandLine): boolean => line.complete && machineOf(line).get('type') !== 'none';

/** vCPUs at start, hot-pluggable ones not counted; undefined where the option does not parse. */
export function vcpusOf(line: CommandLine): number | undefined {
  const smp = new Map([...prefixed(machineOf(line), 'smp.'), ...mergedProperties(line, 'smp', 'cpus')]);
  const total = smp.get('cpus') ?? smp.get('maxcpus');
  if (total !== undefined) return parseCount(total);
  const levels = TOPOLOGY.flatMap((level) => smp.get(level) ?? []);
  if (levels.length === 0 && !hasDefaults(line)) return undefined;
  const product = levels.reduce((vcpus, level) => vcpus * (parseCount(level) ?? Number.NaN), 1);
  return parseCount(String(product));
}

/** Bytes at start, DIMMs not counted; undefined where -m is missing or does not parse. */
export function memoryBytesOf(line: CommandLine): number | undefined {
  const inMachine = parseSize(machineOf(line).get('memory.size'), 1);
  const size = mergedProperties(line, 'm', 'size').get('size');
  return size === undefined ? inMachine : parseSize(size, mibToBytes(1));
}

export const givesMemorySize = (line: CommandLine): boolean =>
  mergedProperties(line, 'm', 'size').has('size') || machineOf(line).has('memory.size');

const prefixed = (properties: Properties, prefix: string): [string, string][] =>
  [...properties].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : []));
