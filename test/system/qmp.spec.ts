import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/host/host.js';
import { Outcome } from '../../src/model/outcome.js';
import { Settings } from '../../src/model/settings.js';
import { holdProcess } from '../../src/modules/procfs/held-process.js';
import { isTold, type VmmAnswer } from '../../src/modules/vmm/answer.js';
import type { Conversation } from '../../src/modules/vmm/dialogue.js';
import { qemuDialogue } from '../../src/modules/vmm/qemu.dialogue.js';
import { FakeSubject } from '../subject.js';
import { Belongings } from './belongings.js';
import { Child } from './child.js';
import { eventually } from './eventually.js';
import { BASICS, describeWith, iproute, kvm, qemu } from './needs.js';
import { NetworkNamespace } from './network-namespace.js';
import { QmpClient } from './qmp-client.js';
import { IDLE_MACHINE, startQemu } from './real-qemu.js';
import { doorsAt } from './unix-sockets.js';

/** No test here is about how fast an answer comes, except where the VMM hangs. */
const PATIENT_MS = 30_000;
const SHORT_MS = 600;
/** Not the name that other agents of this machine look for. */
const RESERVED = 'qmp-spec.sock';
const host = new Host();

// No agent: conversations of this process with QEMUs of this process.
describeWith('QMP of a real QEMU', [...BASICS, qemu, kvm], () => {
  const belongings = new Belongings();
  let directory: string;
  let ofOneTest: Belongings;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmgauge-qmp-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    ofOneTest = new Belongings();
  });
  afterEach(() => ofOneTest.release());
  afterAll(() => belongings.release());

  const fresh = (): string => mkdtempSync(join(directory, 'vm-'));
  const monitor = (path: string): readonly string[] => ['-qmp', `unix:${path},server=on,wait=off`];
  const start = async (path: string, extra: readonly string[] = [], name = path): Promise<Child> => {
    const words = [...IDLE_MACHINE, '-m', '64', ...monitor(name), ...extra];
    const child = await startQemu(ofOneTest, words, { socket: path, cwd: dirname(path) });
    const wanted = words.filter((word) => word.startsWith('unix:')).map((word) => word.slice('unix:'.length, word.indexOf(',')));
    // The file is there a moment before anybody listens.
    await eventually('monitors that listen', () => doorsAt(wanted).every(({ listens }) => listens));
    return child;
  };
  const talk = (child: Child, sockets: readonly string[], settings: Partial<Settings> = {}): Conversation => {
    const held = holdProcess(host, child.pid);
    const subject = new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', hypervisor: 'qemu', sockets });
    const conversation = qemuDialogue.begin(subject, held, {
      host,
      settings: Object.assign(new Settings(), { qmpReserved: [RESERVED] }, settings),
      shims: null,
    });
    ofOneTest.own(() => held.close());
    ofOneTest.own(() => conversation.end());
    return conversation;
  };
  const answerOf = async (conversation: Conversation): Promise<VmmAnswer> => {
    const answer = await conversation.ask(PATIENT_MS);
    if (typeof answer === 'number') throw new Error(`outcome ${answer}`);
    return answer;
  };
  const owner = async (path: string): Promise<QmpClient> => {
    const client = await QmpClient.connect(path);
    ofOneTest.own(() => client.close());
    return client;
  };
  /** A signal is sent before it is felt. */
  const stopped = async (child: Child): Promise<void> => {
    child.signal('SIGSTOP');
    await eventually('a process that stands still', () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8')));
  };
  /** Clients at a monitor: taken, and not yet. */
  const at = (path: string): readonly number[] => {
    const [{ served, waiting }] = doorsAt([path]);
    return [served, waiting];
  };

  describe('with a monitor for us', () => {
    it('tells every topic it has, and what it lacks is not told', async () => {
      const home = fresh();
      const path = join(home, RESERVED);
      const child = await start(path, [
        ...['-name', 'guest=one,debug-threads=on', '-smp', '2', '-device', 'virtio-balloon-pci,id=balloon0'],
        ...['-drive', 'if=none,id=drive0,file=null-co://,file.size=1M,format=raw,throttling.bps-read=1000000,throttling.iops-total=500'],
        ...['-device', 'virtio-blk-pci,drive=drive0,id=disk0'],
      ]);
      const conversation = talk(child, [path]);
      const answer = await answerOf(conversation);
      expect(answer).toMatchObject({
        version: expect.stringMatching(/^QEMU \d+\.\d+\.\d+$/),
        state: { word: 'prelaunch', state: 'created' },
        memory: { bytes: 64 << 20 },
        balloon: { actualBytes: 64 << 20 },
        guest: Outcome.unsupported,
        vnics: Outcome.unsupported,
        exits: Outcome.unsupported,
        migration: { state: 'none' },
        events: { reset: 0, 'guest-panicked': 0, stop: 0 },
      });
      const { vcpus, disks, kvm: counters } = answer;
      if (!isTold<object>(vcpus) || !isTold<object>(disks) || !isTold(counters)) throw new Error('a topic is missing');
      const comm = (thread: number): string => readFileSync(`/proc/${child.pid}/task/${thread}/comm`, 'utf8').trim();
      expect(vcpus.map(({ index, threadId }) => `${index}: ${comm(threadId)}`)).toEqual(['0: CPU 0/KVM', '1: CPU 1/KVM']);
      expect(disks).toMatchObject([
        {
          device: 'disk0',
          readOnly: false,
          numbers: { capacityBytes: 1 << 20, reads: 0, limitReadBytesPerSecond: 1_000_000, limitOperationsPerSecond: 500 },
        },
      ]);
      expect(Object.keys(disks[0].numbers)).not.toContain('limitWriteBytesPerSecond');
      expect([...counters.counters.keys()]).toContain('exits');
      expect(conversation.intrusion.connections).toBe(1);
    });

    it('is listened to all the time: what happens between two rounds is counted', async () => {
      const path = join(fresh(), RESERVED);
      const owned = join(dirname(path), 'owner.sock');
      const child = await start(path, monitor(owned));
      const conversation = talk(child, [path, owned]);
      expect((await answerOf(conversation)).events).toMatchObject({ reset: 0, stop: 0, resume: 0 });
      const hand = await owner(owned);
      await hand.execute('cont');
      await eventually(
        'a running VM',
        async () => (await answerOf(conversation)).state !== Outcome.busy && (await hand.status()) === 'running',
      );
      await hand.execute('stop');
      await hand.execute('cont');
      await hand.execute('system_reset');
      await eventually('a reset', () => hand.events.includes('RESET'));
      const told = await eventually('all that was heard', async () => {
        const { events } = await answerOf(conversation);
        return isTold(events) && events.reset === 1 ? events : undefined;
      });
      expect(told).toMatchObject({ stop: 1, resume: 2, reset: 1, shutdown: 0 });
      await hand.execute('stop');
      expect((await answerOf(conversation)).state).toEqual({ word: 'paused', state: 'paused' });
      expect(conversation.intrusion.connections).toBe(1);
      expect(at(path)).toEqual([1, 0]);
    });

    it('counts what KVM counts while the guest runs', async () => {
      const path = join(fresh(), RESERVED);
      const owned = join(dirname(path), 'owner.sock');
      const child = await start(path, monitor(owned));
      const conversation = talk(child, [path]);
      await (await owner(owned)).execute('cont');
      const exits = async (): Promise<number> => {
        const { kvm: counters } = await answerOf(conversation);
        return isTold(counters) ? (counters.counters.get('exits') ?? Number.NaN) : Number.NaN;
      };
      const first = await eventually('exits of a guest that runs', async () => ((await exits()) > 0 ? exits() : undefined));
      await eventually('more of them', async () => (await exits()) > first);
    });

    it.each([
      ['a name relative to the directory it was started in', (home: string) => [RESERVED, join(home, RESERVED)]],
      [
        'a directory that is a link',
        (home: string) => {
          mkdirSync(join(home, 'real'));
          symlinkSync('real', join(home, 'link'));
          return [join(home, 'link', RESERVED), join(home, 'real', RESERVED)];
        },
      ],
      [
        'a path longer than the system lets anybody connect to',
        (home: string) => {
          const deep = join(home, 'x'.repeat(100), 'y'.repeat(100));
          mkdirSync(deep, { recursive: true });
          return [RESERVED, join(deep, RESERVED)];
        },
      ],
    ])('is found by %s', async (_, place) => {
      const [name, path] = place(fresh());
      const child = await start(path, [], name);
      expect((await answerOf(talk(child, [name]))).state).toMatchObject({ word: 'prelaunch' });
    });

    it('is told how often to ask its balloon driver only where that is allowed, and where nobody else said it', async () => {
      const path = join(fresh(), RESERVED);
      const owned = join(dirname(path), 'owner.sock');
      const child = await start(path, [...monitor(owned), '-device', 'virtio-balloon-pci,id=balloon0']);
      const hand = await owner(owned);
      const property = { path: '/machine/peripheral/balloon0', property: 'guest-stats-polling-interval' };
      const interval = (): Promise<number> => hand.execute<number>('qom-get', property);
      const ask = async (settings: Partial<Settings>): Promise<number> => {
        const conversation = talk(child, [path], settings);
        await answerOf(conversation);
        conversation.end();
        await eventually('a monitor that is free', () => at(path)[0] === 0);
        return interval();
      };
      expect(await ask({})).toBe(0);
      expect(await ask({ qmpBalloonPolling: true, vmmIntervalMs: 15_000 })).toBe(15);
      await hand.execute('qom-set', { ...property, value: 7 });
      expect(await ask({ qmpBalloonPolling: true })).toBe(7);
    });

    it('hangs, is not touched again while it does, and answers when it works again', async () => {
      const path = join(fresh(), RESERVED);
      const child = await start(path);
      const conversation = talk(child, [path]);
      await answerOf(conversation);
      await stopped(child);
      expect(await conversation.ask(SHORT_MS)).toBe(Outcome.timeout);
      const { connections } = conversation.intrusion;
      for (const _ of [1, 2, 3]) expect(await conversation.ask(SHORT_MS)).toBe(Outcome.timeout);
      expect(conversation.intrusion.connections).toBe(connections);
      child.signal('SIGCONT');
      await eventually('an answer', async () => typeof (await conversation.ask(PATIENT_MS)) === 'object');
      expect(at(path)).toEqual([1, 0]);
    });
  });

  describe('with a monitor that is its owner’s', () => {
    const opportunistic: Partial<Settings> = { qmpMode: 'opportunistic' };

    it('is not touched by an agent that asks reserved ones alone', async () => {
      const path = join(fresh(), 'monitor.sock');
      const conversation = talk(await start(path), [path]);
      expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.notConfigured);
      expect(conversation.intrusion).toEqual({ connections: 0, questions: 0, connectedMs: 0 });
    });

    it('is asked where it is free, and left at once', async () => {
      const path = join(fresh(), 'monitor.sock');
      const conversation = talk(await start(path), [path], opportunistic);
      const answer = await answerOf(conversation);
      expect(answer).toMatchObject({ state: { word: 'prelaunch' }, events: Outcome.unsupported });
      await eventually('a monitor that is free again', () => at(path).join() === '0,0');
      expect((await answerOf(conversation)).events).toBe(Outcome.unsupported);
      const { connections, connectedMs } = conversation.intrusion;
      expect(connections).toBe(2);
      await eventually('a monitor that is free again', () => at(path).join() === '0,0');
      expect(conversation.intrusion.connectedMs).toBe(connectedMs);
    });

    it('keeps its owner undisturbed: as long as he is there nobody knocks, and when he comes back he is the first', async () => {
      const path = join(fresh(), 'monitor.sock');
      const conversation = talk(await start(path), [path], opportunistic);
      let isOver = false;
      const outcomes = new Set<unknown>();
      let client = await owner(path);
      const asking = (async () => {
        while (!isOver) {
          const answer = await conversation.ask(PATIENT_MS);
          outcomes.add(typeof answer);
          if (typeof answer === 'number') outcomes.add(answer);
        }
      })();
      const queues: number[] = [];
      for (let i = 0; i < 200; i++) {
        expect(await client.status()).toBe('prelaunch');
        queues.push(at(path)[1]);
      }
      for (let i = 0; i < 30; i++) {
        // The next connection stands before the last one ends, as with an owner that never wants to be without one.
        const next = QmpClient.dial(path);
        ofOneTest.own(() => next.close());
        client.close();
        client = next;
        await client.greeted();
        await client.execute('qmp_capabilities');
        expect(await client.status()).toBe('prelaunch');
      }
      isOver = true;
      await asking;
      expect(new Set(queues)).toEqual(new Set([0]));
      expect(conversation.intrusion).toEqual({ connections: 0, questions: 0, connectedMs: 0 });
      expect(outcomes).toEqual(new Set(['number', Outcome.busy]));
    });

    it('is handed back to an owner who comes while it is asked', async () => {
      const path = join(fresh(), 'monitor.sock');
      const child = await start(path);
      const conversation = talk(child, [path], opportunistic);
      for (let i = 0; i < 30; i++) {
        const answer = conversation.ask(PATIENT_MS);
        const client = QmpClient.dial(path);
        ofOneTest.own(() => client.close());
        await client.greeted();
        await client.execute('qmp_capabilities');
        expect(await client.status()).toBe('prelaunch');
        // Either it was done before he came, or it made way; it is not there any more in any case.
        expect([Outcome.busy, 'object']).toContain(typeof (await answer) === 'object' ? 'object' : await answer);
        expect(at(path)).toEqual([1, 0]);
        client.close();
        await eventually('a monitor that is free', () => at(path).join() === '0,0');
      }
    });

    it('is given up in the middle when its owner comes, if that takes longer than a moment', async () => {
      const path = join(fresh(), 'monitor.sock');
      const child = await start(path);
      const conversation = talk(child, [path], opportunistic);
      await eventually('a round that made way', async () => {
        const { connections, questions } = conversation.intrusion;
        const answer = conversation.ask(PATIENT_MS);
        await eventually('a round that began', () => conversation.intrusion.questions > questions);
        const client = QmpClient.dial(path);
        ofOneTest.own(() => client.close());
        // A VMM that is slow: from here on each reply takes longer than the moment.
        for (let i = 0; i < 5; i++) {
          child.signal('SIGSTOP');
          await pause(20);
          child.signal('SIGCONT');
          await pause(1);
        }
        await client.greeted();
        client.close();
        const outcome = await answer;
        await eventually('a monitor that is free', () => at(path).join() === '0,0');
        return outcome === Outcome.busy && conversation.intrusion.connections === connections + 1;
      });
    });

    it('hangs: one connection waits in its queue and no second one, and its owner is served when it works again', async () => {
      const path = join(fresh(), 'monitor.sock');
      const child = await start(path);
      const conversation = talk(child, [path], opportunistic);
      await stopped(child);
      expect(await conversation.ask(SHORT_MS)).toBe(Outcome.timeout);
      for (const _ of [1, 2, 3]) expect(await conversation.ask(SHORT_MS)).toBe(Outcome.timeout);
      expect(conversation.intrusion).toMatchObject({ connections: 1, questions: 0 });
      expect(at(path)).toEqual([0, 1]);
      child.signal('SIGCONT');
      expect(await (await owner(path)).status()).toBe('prelaunch');
      expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    });
  });

  it('does not believe a command line: the monitor of another process is not asked', async () => {
    const [path, other] = [join(fresh(), RESERVED), join(fresh(), RESERVED)];
    const child = await start(path);
    await start(other);
    const conversation = talk(child, [other]);
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.notPermitted);
    expect(conversation.intrusion.connections).toBe(0);
    expect(at(other)).toEqual([0, 0]);
  });

  it('does not follow links into a directory of libvirt', async () => {
    const home = fresh();
    mkdirSync(join(home, 'libvirt/qemu/domain-1'), { recursive: true });
    symlinkSync('libvirt/qemu/domain-1', join(home, 'mine'));
    const [name, path] = [join(home, 'mine', RESERVED), join(home, 'libvirt/qemu/domain-1', RESERVED)];
    const conversation = talk(await start(path, [], name), [name]);
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.notPermitted);
    expect(conversation.intrusion.connections).toBe(0);
  });

  it('lets nobody in who answers in its place', async () => {
    const path = join(fresh(), RESERVED);
    const first = await start(path);
    rmSync(path);
    await start(path);
    const conversation = talk(first, [path]);
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.notPermitted);
    expect(conversation.intrusion.questions).toBe(0);
  });
});

describeWith('QMP of a real QEMU whose owner is in another network namespace', [...BASICS, qemu, kvm, iproute], () => {
  const belongings = new Belongings();
  afterAll(() => belongings.release());

  it('is not asked: his end of the connection is in no table here, but the VMM holds a socket that nobody knows', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vmgauge-qmp-'));
    belongings.own(() => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, 'monitor.sock');
    const child = await startQemu(belongings, [...IDLE_MACHINE, '-m', '64', '-qmp', `unix:${path},server=on,wait=off`], { socket: path });
    await eventually('a monitor that listens', () => doorsAt([path])[0].listens);
    const script = `const s=require('net').connect(${JSON.stringify(path)});s.once('data',()=>console.log('greeted'));s.on('close',()=>process.exit())`;
    const elsewhere = new NetworkNamespace(belongings);
    const stranger = await Child.start([...elsewhere.entrance, process.execPath, '-e', script]);
    belongings.own(() => stranger.kill());
    expect(await stranger.line()).toBe('greeted');

    const held = holdProcess(host, child.pid);
    belongings.own(() => held.close());
    const subject = new FakeSubject(held, 'vm-1', 'one', { id: 'vm-1', hypervisor: 'qemu', sockets: [path] });
    const settings = Object.assign(new Settings(), { qmpMode: 'opportunistic' });
    const conversation = qemuDialogue.begin(subject, held, { host, settings, shims: null });
    belongings.own(() => conversation.end());
    expect(await conversation.ask(PATIENT_MS)).toBe(Outcome.busy);
    expect(conversation.intrusion.connections).toBe(0);
    await stranger.kill();
    await eventually('an answer', async () => typeof (await conversation.ask(PATIENT_MS)) === 'object');
  });
});
