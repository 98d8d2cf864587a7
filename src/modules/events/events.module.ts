import { Module } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { Outcome } from '../../model/outcome.js';
import { Settings } from '../../model/settings.js';
import { SocketsReader } from './sockets.js';
import { OUTCOMES } from './supervisor.js';
import { TracedProcesses } from './traced-processes.js';
import { Tracing } from './tracing.js';

function makeTracedProcesses(host: Host, settings: Settings, tracing: Tracing, sockets: SocketsReader): TracedProcesses {
  const standing = (): Outcome => {
    if (tracing.isOff || settings.collectors.get('tracing') === false) return Outcome.notConfigured;
    return tracing.hindrance ? OUTCOMES[tracing.hindrance.reason] : Outcome.busy;
  };
  const plain = settings.collectors.get('sockets') === false ? null : sockets;
  const traced = new TracedProcesses(host, settings, standing, plain);
  tracing.serve(traced);
  return traced;
}

/** How slow the world of each instance is: traced in the kernel, or read from sockets and /proc where that cannot be. */
@Module({
  providers: [
    Tracing,
    SocketsReader,
    { provide: TracedProcesses, inject: [Host, Settings, Tracing, SocketsReader], useFactory: makeTracedProcesses },
  ],
  exports: [Tracing, SocketsReader, TracedProcesses],
})
export class EventsModule {}
