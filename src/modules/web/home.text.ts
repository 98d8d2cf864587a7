import { onTerminal } from '../../model/terminal.js';
import { homeLinks } from './home.links.js';
import type { HomeReport, HomeRow } from './home.report.js';
import { bytes, bytesPerSecond, cores, count, some } from './readable.js';
import { advice, starterCommand } from './starter.js';

const HEAD = ['ID', 'NAME', 'HYPERVISOR', 'STATE', 'VCPUS', 'CPU', 'MEMORY', 'OF', 'RX', 'TX'];
const FIRST_NUMBER = 4;

/** The same page for a terminal. */
export function homeText(report: HomeReport): string {
  const { version, hostName, collectedAt, sources, readings, telemetryPath } = report;
  const links = homeLinks(telemetryPath);
  const width = Math.max(...links.map(({ href }) => href.length));
  const lines = [
    `vmgauge ${version} on ${hostName}, ${some(report.total, 'instance')}${sandboxCount(report)}${collectedAt === null ? '' : `, read ${collectedAt}`}`,
    '',
    ...instances(report),
    '',
    ...sources.map(({ name, status, about, instances, problems }) => {
      const state = status === 'ok' ? `${some(instances, 'instance')}` : `${status}: ${about}`;
      return `source ${name}: ${state}${problems.length === 0 ? '' : `, ${some(problems.length, 'entry', 'entries')} passed over`}`;
    }),
    ...readings.map(({ name, word }) => `host ${name}: ${word}`),
    ...advice(report),
    '',
    ...links.map(({ href, what }) => `/${href.padEnd(width)}  ${what}`),
  ];
  return `${lines.map(onTerminal).join('\n')}\n`;
}

function instances({ rows, total }: HomeReport): string[] {
  if (total === 0)
    return ['The agent finds no virtual machine here. Start one, and it is listed within seconds:', '', `  ${starterCommand()} &`];
  const table = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, i) => Math.max(...table.map((line) => line[i].length)));
  const lines = table.map((line) =>
    line.map((cell, i) => (i < FIRST_NUMBER ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
  return total > rows.length ? [...lines, `and ${total - rows.length} more: /instances`] : lines;
}

const sandboxCount = ({ sandboxes }: HomeReport): string =>
  sandboxes === 0 ? '' : `, ${some(sandboxes, 'Kata sandbox', 'Kata sandboxes')}`;

const cells = (row: HomeRow): string[] => [
  row.id,
  row.name,
  row.hypervisor,
  row.evidence.length === 0 ? row.state : `${row.state}: ${row.evidence.join(', ')}`,
  count(row.vcpus),
  cores(row.cores),
  bytes(row.memoryBytes),
  bytes(row.allocatedBytes),
  bytesPerSecond(row.rxPerSecond),
  bytesPerSecond(row.txPerSecond),
];
