import { type DynamicModule, Module } from '@nestjs/common';
import { ShimModule } from '../shim/shim.module.js';
import { VmmAsker } from './asker.js';
import type { Dialogue } from './dialogue.js';
import { VMM_DIALOGUES } from './dialogues.js';

/** What VMMs say of themselves over their own sockets. */
@Module({})
export class VmmModule {
  /** @param dialogues how VMMs are asked; the first for a kind of VMM counts */
  static register(dialogues: readonly Dialogue[]): DynamicModule {
    return {
      module: VmmModule,
      imports: [ShimModule],
      providers: [VmmAsker, { provide: VMM_DIALOGUES, useValue: dialogues }],
      exports: [VmmAsker, VMM_DIALOGUES],
    };
  }
}
