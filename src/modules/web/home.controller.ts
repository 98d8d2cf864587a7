import { Controller, Get, Header } from '@nestjs/common';

@Controller()
export class HomeController {
  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  home(): string {
    return '<!doctype html><title>vmgauge</title>';
  }
}
