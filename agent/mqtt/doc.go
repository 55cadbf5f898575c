// Package mqtt carries the messages between gateways over MQTT 3.1.1 (OASIS
// standard, 29 October 2014) and holds the broker for plants that run none.
//
// [Bus] keeps one connection alive: it tries its brokers in order, subscribes,
// comes back after a loss and returns to the first broker, its home, when that
// answers again. It promises little on purpose. Delivery is at most a hint:
// messages may come twice, out of order or never, and the broker is not
// trusted. What must not be lost lies in the chain of its author, which is the
// outbox; so nothing is stored or queued here while offline, and a [Bus.Publish]
// that cannot go out at once says so.
//
// [RunBroker] serves one box, a demonstration or a small plant. Its memory is
// bounded against clients that flood, stall or hoard, and nothing survives its
// end. A plant of many gateways runs Mosquitto or a clustered broker instead;
// the tests of this package hold every promise over both.
package mqtt
