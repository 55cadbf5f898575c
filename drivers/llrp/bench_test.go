package llrp_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/llrp"
)

// BenchmarkArrival measures the time from a tag's entry before an antenna to the
// Arrived event, over the loopback interface. The emulated reader looks at once.
func BenchmarkArrival(b *testing.B) {
	device := emulate.NewLLRP(emulate.LLRPConfig{})
	dock, err := emulate.Listen("127.0.0.1:0", device)
	must(b, err)
	defer dock.Close()
	measure(b, llrp.Network{Address: dock.Address()}.Open, func() { must(b, device.Present(tagA, 1, -50, "")) }, func() { device.Remove("") })
}

// BenchmarkLastByte measures the time from the last byte of a report to the
// Arrived event: the driver alone.
func BenchmarkLastByte(b *testing.B) {
	host, device := drivertest.Cable()
	var wait sync.WaitGroup
	defer wait.Wait()
	defer device.Close()
	wait.Go(func() { answer(b, device) })
	report := unhex(b, "043d0000002c4095892f00f000228d3005fb63ac1f3841ec88046781000186ce820004ec2ea8354c09880001")
	alive := llrp.AppendMessage(nil, llrp.Message{Type: llrp.Keepalive, ID: 1})
	first := true
	open := func(context.Context) (drivers.Port, error) {
		if !first {
			<-b.Context().Done()
		}
		first = false
		return host, nil
	}
	measure(b, open, func() { device.Write(report) }, func() {
		time.Sleep(2 * time.Millisecond)
		device.Write(alive)
		device.Write(alive)
	})
}

// answer is a reader that agrees to everything, and gives signs of life until
// the driver is up.
func answer(b *testing.B, port drivers.Port) {
	success := unhex(b, "011f000800000000")
	abilities := append(slices.Clone(success), unhex(b, "0089001200044000000000000000000000 00")...)
	port.Write(unhex(b, "043f000000200ab288c900f600160080000c0004f8535baadaff010000060000"))
	var p llrp.Parser
	buf := make([]byte, 4096)
	for {
		port.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, err := port.Read(buf)
		if n == 0 && err != nil {
			if b.Context().Err() != nil {
				return
			}
			if _, err := port.Write(llrp.AppendMessage(nil, llrp.Message{Type: llrp.Keepalive, ID: 1})); err != nil {
				return
			}
		}
		found, _ := p.Feed(buf[:n])
		for _, m := range found {
			switch m.Type {
			case llrp.KeepaliveAck:
			case llrp.GetReaderCapabilities:
				port.Write(llrp.AppendMessage(nil, llrp.Message{Type: m.Type + 10, ID: m.ID, Body: abilities}))
			case llrp.CloseConnection:
				port.Write(llrp.AppendMessage(nil, llrp.Message{Type: llrp.CloseConnectionResponse, ID: m.ID, Body: success}))
			default:
				port.Write(llrp.AppendMessage(nil, llrp.Message{Type: m.Type + 10, ID: m.ID, Body: success}))
			}
		}
	}
}

func measure(b *testing.B, open drivers.Opener, present, remove func()) {
	portal, err := llrp.New(llrp.Config{Name: "dock", Open: open, Keepalive: 30 * time.Millisecond, Readers: []llrp.ReaderConfig{
		{Name: "gate", Antennas: []llrp.Antenna{{ID: 1}}, Absence: time.Millisecond}, // departures are not what is measured
	}})
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	events := make(chan drivers.Event, 16)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { portal.Readers()[0].Run(ctx, events) })
	next := func(k drivers.Kind) {
		for e := range events {
			if e.Kind == k {
				return
			}
		}
	}
	next(drivers.Up)
	var took []time.Duration
	for b.Loop() {
		started := time.Now()
		present()
		next(drivers.Arrived)
		took = append(took, time.Since(started))
		remove()
		next(drivers.Departed)
	}
	slices.Sort(took)
	us := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))]) / float64(time.Microsecond)
	}
	b.ReportMetric(us(0.50), "p50-µs")
	b.ReportMetric(us(0.99), "p99-µs")
	b.ReportMetric(0, "ns/op") // of no meaning here: it counts the departures
}
