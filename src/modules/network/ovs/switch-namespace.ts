import type { Host } from '../../../host/host.js';

const PID_BYTES = 64;
const DAEMON = 'ovs-vswitchd';

/**
 * The network namespace in which a switch has its ports, as `KernelFile.identity` spells it: that of the process that its pid file names. Where
 * the file names another, because it was written in a container, or is not there, that of before, or else the host's: there every switch of
 * virtual machines runs. null where procfs shows none.
 */
export async function switchNamespace(host: Host, directory: string, before: string | null): Promise<string | null> {
  const pid = await daemonPid(host, directory);
  return (pid === null ? null : namespaceOf(host, pid)) ?? before ?? namespaceOf(host, '1');
}

async function daemonPid(host: Host, directory: string): Promise<string | null> {
  try {
    const pid = (await host.readStrangersFile(`${directory}/${DAEMON}.pid`, PID_BYTES)).trim();
    const isDaemon = /^[1-9]\d{0,9}$/.test(pid) && host.tryReadText(host.proc(pid, 'comm'), PID_BYTES) === `${DAEMON}\n`;
    return isDaemon ? pid : null;
  } catch {
    return null;
  }
}

function namespaceOf(host: Host, pid: string): string | null {
  try {
    const file = host.holdFile(host.proc(pid, 'net', 'dev'));
    try {
      return file.identity();
    } finally {
      file.close();
    }
  } catch {
    return null;
  }
}
