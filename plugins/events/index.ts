import { definePlugins, type PluginContext } from "bulkhead/plugin";
import { defaultExchangeLimits, Exchange, type ExchangeLimits } from "./exchange.ts";
import { relayService } from "./relay-service.ts";
import { Repeats } from "./repeats.ts";
import { eventsService } from "./service.ts";
import { shimEvents } from "./shim-events.ts";
import { TtrpcServer } from "./ttrpc-server.ts";

/** Keys of io.containerd.event.v1.exchange, checked by config.json. */
interface ExchangeConfig {
  readonly subscriberEvents?: number;
  readonly subscriberBytes?: number;
  readonly ringEvents?: number;
  readonly ringBytes?: number;
}

export default definePlugins({
  "io.containerd.event.v1.exchange": { init: openExchange },
  // The same exchange for clients: the package serves it once.
  "io.containerd.grpc.v1.events": { init: () => ({}) },
});

async function openExchange({ config, log, ttrpcListenerFd }: PluginContext<ExchangeConfig>) {
  const exchange = new Exchange(limitsOf(config));
  const repeats = new Repeats();
  const ttrpc = new TtrpcServer(shimEvents(exchange, repeats), log);
  if (ttrpcListenerFd === undefined) log.warn("no ttrpc listener: shims cannot tell of their tasks");
  else await ttrpc.listen({ fd: ttrpcListenerFd });
  return {
    services: [eventsService(exchange, repeats), relayService(exchange, repeats)],
    metrics: () => metricsOf(exchange),
    drain: () => exchange.close(),
    close: () => ttrpc[Symbol.asyncDispose](),
  };
}

function limitsOf(config: ExchangeConfig): ExchangeLimits {
  const { subscriber, ring } = defaultExchangeLimits;
  return {
    subscriber: {
      events: config.subscriberEvents ?? subscriber.events,
      bytes: config.subscriberBytes ?? subscriber.bytes,
    },
    ring: { events: config.ringEvents ?? ring.events, bytes: config.ringBytes ?? ring.bytes },
  };
}

function metricsOf(exchange: Exchange): string {
  return [
    "# HELP bulkhead_events_published_total Events since the package started.",
    "# TYPE bulkhead_events_published_total counter",
    `bulkhead_events_published_total ${exchange.ring.sequence}`,
    "# HELP bulkhead_events_subscribers Open subscriptions.",
    "# TYPE bulkhead_events_subscribers gauge",
    `bulkhead_events_subscribers ${exchange.subscribers}`,
    "",
  ].join("\n");
}
