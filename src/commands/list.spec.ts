import { describe, expect, it } from 'vitest';
import type { Answer, Answers } from './answers.js';
import { age, allInstances, listText } from './list.js';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const running = {
  id: 'web-1',
  name: 'shop',
  source: 'libvirt',
  hypervisor: 'qemu',
  state: 'running',
  pid: 4711,
  started_at: '2026-11-21T08:48:00.000Z',
  allocated: { vcpus: 2, memory_bytes: 1_610_612_736 },
};

describe('the table', () => {
  it('has a line for each instance, numbers to the right', () => {
    const stopped = {
      ...running,
      id: 'web-22',
      name: 'a longer name',
      state: 'stopped',
      pid: null,
      allocated: { vcpus: null, memory_bytes: null },
    };
    expect(listText([running, stopped], null, NOW)).toBe(
      [
        'ID      NAME           HYPERVISOR  STATE     PID  VCPUS   MEMORY  SOURCE     AGE',
        'web-1   shop           qemu        running  4711      2  1.5 GiB  libvirt  3h12m',
        'web-22  a longer name  qemu        stopped     –      –        –  libvirt      –',
        '',
      ].join('\n'),
    );
  });

  it('shows a dash for whatever an agent of another version leaves out', () => {
    const [, line] = listText([{ id: 'a', name: ['x'], allocated: 7 }], null, NOW).split('\n');
    expect(line.split(/ +/)).toEqual(['a', ...Array.from({ length: 8 }, () => '–')]);
  });

  it('is advice where there is nothing to list', () => {
    expect(listText([], null, NOW)).toMatch(/^No virtual machine is found on this host\..*\n\n {2}qemu-system-\S+ .*&\n$/);
    expect(listText([], 'http://127.0.0.1:1/', NOW)).toMatch(/&\n\nhttp:\/\/127\.0\.0\.1:1\/ says .*\n$/);
  });
});

describe('an age', () => {
  it.each([
    [0, '0s'],
    [-5000, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_599_000, '59m'],
    [3_600_000, '1h0m'],
    [86_399_000, '23h59m'],
    [86_400_000, '1d0h'],
    [40 * 86_400_000 + 3_600_000, '40d1h'],
    [Number.NaN, '–'],
  ])('of %d ms is %s', (ms, text) => {
    expect(age(ms)).toBe(text);
  });
});

describe('all instances', () => {
  const page = (ids: readonly string[], next: unknown): Answer => ({
    body: Buffer.from(JSON.stringify({ instances: ids.map((id) => ({ id })), next_cursor: next })),
  });
  const asking = (answers: Readonly<Record<string, Answer>>): Answers => ({
    url: null,
    address: null,
    get: async (path) => answers[path] ?? Promise.reject(new Error(`asked for ${path}`)),
    prepare: () => Promise.reject(new Error('prepared')),
    prepareSurvey: () => Promise.reject(new Error('prepared')),
    strange: () => {
      throw new Error('strange');
    },
    refused: ({ detail }) => {
      throw new Error(detail);
    },
  });

  it('come from all pages', async () => {
    const answers = asking({ '/instances': page(['a', 'b'], 'b+/='), '/instances?cursor=b%2B%2F%3D': page(['c'], null) });
    expect(await allInstances(answers)).toEqual([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
  });

  it('do not come from a server whose pages never end', async () => {
    await expect(allInstances(asking({ '/instances': page([], 'x'), '/instances?cursor=x': page([], 'x') }))).rejects.toThrow('strange');
  });

  it.each(['', 'null', '[]', '{}', '{"instances":[]}', '{"instances":{},"next_cursor":null}', '{"instances":[1],"next_cursor":null}'])(
    'do not come from %j',
    async (text) => {
      await expect(allInstances(asking({ '/instances': { body: Buffer.from(text) } }))).rejects.toThrow('strange');
    },
  );

  it('do not come from a refusal', async () => {
    const answers = asking({ '/instances': { problem: { status: 503, code: 'unavailable', detail: 'not now' } } });
    await expect(allInstances(answers)).rejects.toThrow('not now');
  });
});
