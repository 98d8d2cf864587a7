import { AgentLogger } from '../agent-logger.js';
import { ConfigError, quoted } from '../config/config-error.js';
import type { Call } from '../config/load.js';
import { groupId } from '../host/groups.js';
import { Host } from '../host/host.js';
import { inheritedSocket, LineServer } from '../host/line-server.js';
import { TRACING_BLOCKS } from '../model/settings.js';
import { TraceChild } from '../modules/events/trace-child.js';
import { REQUEST_BYTES } from '../modules/events/trace-protocol.js';
import { TraceServer } from '../modules/events/trace-server.js';

const LIMITS = { lineBytes: REQUEST_BYTES, budgetBytes: 512 << 10, unreadBytes: 32 << 20 };

/** Traces for an agent until SIGTERM or SIGINT. @param fail ends the process with the error. @throws when it cannot listen */
export async function runHelper({ config, options }: Call, fail: (error: unknown) => never): Promise<void> {
  const path = options.get('socket') ?? null;
  if (path === null && !inheritedSocket()) throw new ConfigError('socket: --socket=FILE says where to listen');
  const logger = new AgentLogger(config.logFormat, config.logLevel);
  const { pathProcfs, pathSysfs, tracingProgram, tracingBlocks } = config;
  const host = new Host({ proc: pathProcfs, sys: pathSysfs });
  const child = new TraceChild(
    host,
    tracingProgram,
    TRACING_BLOCKS.filter((block) => tracingBlocks.includes(block)),
  );
  const server = new TraceServer(
    child,
    () => host.clock.monotonic(),
    (line) => logger.log(line, 'trace'),
  );
  const door = new LineServer(LIMITS, (peer) => server.accept(peer));
  await door.listen({ path, gid: gidOf(options.get('socket-group')) });
  logger.log(`listening on ${path ?? 'the socket that was handed over'}`, 'trace');
  const hindrance = child.hindrance();
  if (hindrance) logger.warn(`nothing can be traced now: ${hindrance.words}`, 'trace');
  // The listener keeps this process alive, and its end ends it: what runs is killed with it.
  const stop = (): void => {
    try {
      door.close();
      server.close();
      process.exit(0);
    } catch (error) {
      fail(error);
    }
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function gidOf(group: string | undefined): number | null {
  if (group === undefined) return null;
  const gid = groupId(group);
  if (gid === null) throw new ConfigError(`socket-group: there is no group ${quoted(group)}`);
  return gid;
}
