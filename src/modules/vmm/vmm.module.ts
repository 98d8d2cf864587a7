import { Module } from '@nestjs/common';
import { ShimModule } from '../shim/shim.module.js';
import { VmmAsker } from './asker.js';
import { DIALOGUES, VMM_DIALOGUES } from './dialogues.js';

/** What VMMs say of themselves over their own sockets. */
@Module({ imports: [ShimModule], providers: [VmmAsker, { provide: VMM_DIALOGUES, useValue: DIALOGUES }], exports: [VmmAsker] })
export class VmmModule {}
