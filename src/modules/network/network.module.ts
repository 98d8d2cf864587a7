import { Module } from '@nestjs/common';

/** What is known of the switches of this host, for those who ask by instance and those who ask by host. */
@Module({ providers: [], exports: [] })
export class NetworkModule {}
