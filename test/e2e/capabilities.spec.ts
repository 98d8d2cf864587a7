import { afterEach, describe, expect, it } from 'vitest';
import { OUTCOMES, Outcome, outcomeWords } from '../../src/model/outcome.js';
import { PROBES } from '../../src/modules/capabilities/probes.js';
import { VmmAsker } from '../../src/modules/vmm/asker.js';
import type { Dialogue } from '../../src/modules/vmm/dialogue.js';
import { answering, FULL_ANSWER } from '../vmm-answer.js';
import { Agent } from './agent.js';
import { expectGolden } from './golden.js';
import { rootOf, story } from './stories.js';

interface Capability {
  readonly name: string;
  readonly status: string;
  readonly reason: string | null;
  readonly need: string;
  readonly detail: string;
  readonly fix: { readonly text: string; readonly steps: readonly { where: string; line: string }[] } | null;
  readonly affects: { readonly count: number; readonly first: readonly string[] };
}
interface Capabilities {
  readonly checked_at: string;
  readonly healthy: boolean;
  readonly summary: Readonly<Record<string, number>>;
  readonly capabilities: readonly Capability[];
}

/** Of the story two-qemu. */
const KVM_GUEST = '3f0c6a1e-0000-4000-8000-0123456789ab';
const LONG_MS = 30_000;
const TOKEN = 'very-secret-token';
const REASONS = OUTCOMES.map((code) => outcomeWords(code).reason ?? null);

let agent: Agent;
afterEach(() => agent.stop());

async function start(name: string, options: Parameters<typeof Agent.start>[1] = {}): Promise<void> {
  const one = story(name);
  agent = await Agent.start(rootOf(one), { ...(one.prepare ? { prepare: one.prepare } : {}), ...options });
}

const read = async (): Promise<Capabilities> => JSON.parse(await agent.text('/capabilities'));
const named = ({ capabilities }: Capabilities, name: string): Capability =>
  capabilities.find((one) => one.name === name) ?? expect.fail(`no capability ${name}`);

describe('GET /capabilities', () => {
  it('tells every capability of THE LIST in its order, in closed words, with a fix for whatever is not there', async () => {
    await start('two-qemu');
    const response = await agent
      .get('/capabilities')
      .expect(200)
      .expect('content-type', /^application\/json/)
      .expect('cache-control', 'no-store');
    const document: Capabilities = response.body;
    expect(document.capabilities.map(({ name }) => name)).toEqual(PROBES.map(({ name }) => name));
    for (const { status, reason, need, fix, affects } of document.capabilities) {
      expect(['ok', 'absent', 'failed']).toContain(status);
      expect(REASONS).toContain(reason);
      expect(['required', 'optional', 'none']).toContain(need);
      expect(fix === null).toBe(status === 'ok');
      expect(affects.first).toHaveLength(Math.min(5, affects.count));
    }
    const { ok, absent, failed } = document.summary;
    expect(ok + absent + failed).toBe(PROBES.length);
  });

  it('answers as recorded', async () => {
    await start('two-qemu');
    expectGolden('capabilities.json', await agent.text('/capabilities'));
  });

  it('names the VMs that lack something', async () => {
    await start('two-qemu');
    // The other one runs without KVM and has nothing that KVM could count.
    expect(named(await read(), 'kvm_statistics').affects).toEqual({ count: 1, first: [KVM_GUEST] });
  });

  it('names the VMM that has a door and does not answer, with the reason and what to do', async () => {
    const [strange, plain] = [Outcome.malformed, FULL_ANSWER].map((reply) => answering('qemu', () => reply));
    const begin: Dialogue['begin'] = (subject, ...rest) => (subject.id === KVM_GUEST ? strange : plain).begin(subject, ...rest);
    const dialogues = [{ ...plain, begin }];
    agent = await Agent.start(rootOf(story('two-qemu')), { dialogues, settings: { qmpMode: 'reserved' } });
    await agent.app.get(VmmAsker, { strict: false }).settle(LONG_MS);
    const document = await read();
    const qmp = named(document, 'qmp');
    expect(qmp).toMatchObject({ status: 'failed', reason: 'malformed', need: 'required', affects: { count: 1, first: [KVM_GUEST] } });
    expect(qmp.detail).toBe(`2 of 2 running QEMUs have a door for this agent; 1 does not answer: ${KVM_GUEST} (malformed)`);
    expect(qmp.fix?.text).toContain('-qmp-pretty');
    expect(document.healthy).toBe(false);
  });

  it('says what is refused, and is not healthy then', async () => {
    await start('unreadable', { settings: { firecrackerApi: true } });
    const document = await read();
    expect(named(document, 'processes_of_others')).toMatchObject({ status: 'absent', reason: 'not_permitted', need: 'required' });
    expect(named(document, 'network_namespaces')).toMatchObject({ status: 'absent', reason: 'not_permitted' });
    expect(named(document, 'firecracker_api').detail).toMatch(/^no Firecracker that can be seen runs here; \d+ of \d+ processes /);
    expect(document.healthy).toBe(false);
  });

  it('is asked for a token like the others, and tells none', async () => {
    await start('two-qemu', { tokens: [TOKEN], settings: { registrationTokens: [TOKEN] } });
    await agent.get('/capabilities').expect(401);
    const { text } = await agent.get('/capabilities').set('authorization', `Bearer ${TOKEN}`).expect(200);
    expect(text).not.toContain(TOKEN);
  });

  it('is kept for five seconds, however often it is asked for', async () => {
    await start('empty');
    const first = await read();
    agent.host.clock.advance(4999);
    expect((await Promise.all([read(), read(), read()])).map(({ checked_at }) => checked_at)).toEqual(Array(3).fill(first.checked_at));
    agent.host.clock.advance(1);
    expect((await read()).checked_at).not.toBe(first.checked_at);
  });

  it('takes no other method', async () => {
    await start('empty');
    await agent.request('post', '/capabilities').expect(405).expect('allow', /GET/);
  });
});
