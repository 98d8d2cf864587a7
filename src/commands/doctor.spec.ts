import { describe, expect, it } from 'vitest';
import type { Answer, Answers, Problem } from './answers.js';
import { diagnose, doctorText } from './doctor.js';

class Told implements Answers {
  readonly url = null;
  readonly address = null;
  prepared = 0;

  constructor(private readonly answer: Answer) {}

  async get(path: string): Promise<Answer> {
    expect(path).toBe('/capabilities');
    expect(this.prepared).toBe(1);
    return this.answer;
  }
  async prepare(): Promise<void> {}
  async prepareSurvey(): Promise<void> {
    this.prepared++;
  }
  strange(): never {
    throw new Error('strange');
  }
  refused({ code }: Problem): never {
    throw new Error(`refused ${code}`);
  }
}

const told = (document: unknown): Told => new Told({ body: Buffer.from(JSON.stringify(document)) });
const capability = (name: string, rest: object): object => ({
  ...{
    name,
    status: 'ok',
    reason: null,
    need: 'none',
    gives: `gift of ${name}`,
    collectors: [],
    families: [],
    detail: `detail of ${name}`,
  },
  ...{ fix: null, affects: { count: 0, first: [] } },
  ...rest,
});
const fix = {
  text: 'Do it.',
  steps: [
    { where: 'shell', line: 'do it' },
    { where: 'systemd unit', line: 'Do=it' },
  ],
};
const all = [
  capability('works', {}),
  capability('unasked', { status: 'absent', reason: 'gone', fix }),
  capability('better', { status: 'absent', reason: 'lockdown', need: 'optional', fix, affects: { count: 7, first: ['a', 'b'] } }),
  capability('needed', { status: 'absent', reason: 'not_permitted', need: 'required', fix }),
  capability('hung', { status: 'failed', reason: 'timeout', need: 'required', fix }),
];

describe('doctor', () => {
  it('prints groups by weight, aligned, each with what to do where somebody wants it', async () => {
    const text = doctorText(await diagnose(told({ healthy: false, capabilities: all })), '127.0.0.1:10177', false);
    expect(text).toBe(`The agent at 127.0.0.1:10177 was asked.

To repair
  ✗ needed   not_permitted: detail of needed
             for: gift of needed
             fix: Do it.
                  shell         do it
                  systemd unit  Do=it
  ✗ hung     timeout: detail of hung
             for: gift of hung
             fix: Do it.
                  shell         do it
                  systemd unit  Do=it

VMs would show more with
  ! better   lockdown: detail of better
             for: gift of better
             VMs: a, b, and 5 more
             fix: Do it.
                  shell         do it
                  systemd unit  Do=it

Not there, and nothing that is seen asks for it
  - unasked  gone: detail of unasked

Works
  ✓ works    detail of works

Something that is needed is missing. What is not there has a fix too: --json tells it.
`);
  });

  it('says that all is well, and without whom it looked', async () => {
    const text = doctorText(await diagnose(told({ healthy: true, capabilities: all.slice(0, 1) })), null, false);
    expect(text).toBe('This host was looked at without an agent.\n\nWorks\n  ✓ works  detail of works\n\nAll that is needed works.\n');
  });

  it('breaks a long text between words and never a line to copy', async () => {
    const [text, line] = [Array.from({ length: 60 }, (_, i) => `word-${i}`).join(' '), `run ${'--flag '.repeat(60)}end`];
    const long = capability('long', {
      status: 'absent',
      reason: 'gone',
      need: 'optional',
      fix: { text, steps: [{ where: 'shell', line }] },
    });
    const report = doctorText(await diagnose(told({ healthy: true, capabilities: [long] })), null, false).split('\n');
    const from = report.findIndex((one) => one.includes('fix: word-0'));
    const to = report.findIndex((one) => one.includes('shell'));
    const printed = report.slice(from, to);
    expect(printed.length).toBeGreaterThan(2);
    expect(printed.every((one) => one.trim().length <= 120)).toBe(true);
    expect(printed.map((one) => one.trim()).join(' ')).toBe(`fix: ${text}`);
    expect(new Set(printed.map((one) => one.replace('fix: ', '     ').search(/\S/))).size).toBe(1);
    expect(report[to]).toContain(line);
  });

  it('colours what it says and nothing else: a stranger’s words command no terminal', async () => {
    const evil = 'x\u001b[2J\u0007\u202e\ny';
    const steps = [{ where: evil, line: evil }];
    const rest = { ...{ status: 'absent', reason: evil, need: 'optional', gives: evil, detail: evil }, ...{ fix: { text: evil, steps } } };
    const document = { healthy: true, capabilities: [capability(evil, { ...rest, affects: { count: 1, first: [evil] } })] };
    const plain = doctorText(await diagnose(told(document)), evil, false);
    const coloured = doctorText(await diagnose(told(document)), evil, true);
    expect(plain).not.toMatch(/[\u001b\u0007\u202e]/);
    expect(coloured).toMatch(/\u001b\[33m!\u001b\[0m/);
    expect(coloured.replace(/\u001b\[(0|1|2|33)m/g, '')).toBe(plain);
  });

  it.each([
    ['no object', '[]'],
    ['another document', '{"instances":[]}'],
    ['one without a verdict', '{"capabilities":[]}'],
    ['one whose entries are none', '{"healthy":true,"capabilities":[1]}'],
    ['no JSON', 'x'],
  ])('does not take %s for an answer', async (_, body) => {
    await expect(diagnose(new Told({ body: Buffer.from(body) }))).rejects.toThrow('strange');
  });

  it('survives entries that lack everything', async () => {
    const text = doctorText(await diagnose(told({ healthy: false, capabilities: [{}] })), null, false);
    expect(text).toContain('To repair\n  ✗ ?');
  });

  it('ends with the problem that the agent names', async () => {
    const problem = { status: 404, code: 'not_found', detail: 'd' };
    await expect(diagnose(new Told({ problem }))).rejects.toThrow('refused not_found');
  });
});
