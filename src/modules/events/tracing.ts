import { Injectable, Logger } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { Settings } from '../../model/settings.js';
import { TraceSupervisor } from './supervisor.js';
import { TraceChild } from './trace-child.js';
import { TraceHelper } from './trace-helper.js';

/** The agent's own: with a program of its own, or by the helper that the configuration names. */
@Injectable()
export class Tracing extends TraceSupervisor {
  constructor(host: Host, settings: Settings) {
    const { tracingHelperSocket, tracingProgram } = settings;
    const logger = new Logger('tracing');
    super(
      host,
      settings,
      tracingHelperSocket === ''
        ? new TraceChild(host, tracingProgram, settings.tracingBlocks)
        : new TraceHelper(host, tracingHelperSocket),
      (line, isNews) => (isNews ? logger.warn(line) : logger.debug(line)),
    );
  }
}
