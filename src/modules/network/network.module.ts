import { Module } from '@nestjs/common';
import { Host } from '../../host/host.js';
import { HostConntrack } from './conntrack/host-conntrack.js';
import { OvsObserver } from './ovs/observer.js';

/** What is known of the switches and of the tracked connections of this host, for those who ask by instance and those who ask by host. */
@Module({
  providers: [OvsObserver, { provide: HostConntrack, inject: [Host], useFactory: (host: Host) => new HostConntrack(host) }],
  exports: [OvsObserver, HostConntrack],
})
export class NetworkModule {}
