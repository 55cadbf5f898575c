package agent

import (
	"context"
	"errors"
	"time"

	"traveler.example/drivers"
	profiles "traveler.example/firmware-profiles"
)

// Probed is what came of greeting a device.
type Probed struct {
	Name, Port string
	// Model is what the device says it is.
	Model string
	// Err is why it does not answer; nil: it does.
	Err error
}

// Probe greets every reader and the scale of a profile as the daemon would, and tells
// which of them answer. It opens their ports, and nothing else; within is how long a
// device has. A device that another program has is ErrBusy. The error is about what
// makes a profile impossible on this board.
func Probe(ctx context.Context, p profiles.Profile, hw Hardware, within time.Duration) ([]Probed, error) {
	b := &builder{p: p, hardware: hw, g: newGateway()}
	if err := errors.Join(b.readers(), b.scale()); err != nil {
		return nil, errors.Join(err, b.made.close())
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	devices := make([]drivers.Device, 0, len(b.parts.Readers)+1)
	for _, r := range b.parts.Readers {
		devices = append(devices, r)
	}
	if b.parts.Scale != nil {
		devices = append(devices, b.parts.Scale)
	}
	failed := make(chan error, 1)
	b.made.start(ctx, b.g.events, failed)
	heard, broken := make(map[string]error), error(nil)
	for len(heard) < len(devices) && ctx.Err() == nil {
		select {
		case e := <-b.g.events:
			if e.Kind == drivers.Up || e.Kind == drivers.Down {
				heard[e.Reader] = e.Err
			}
		case err := <-failed:
			broken = err
			cancel()
		case <-ctx.Done():
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); b.made.stop() }()
	for stopped := false; !stopped; {
		select {
		case <-b.g.events: // a device may be sending still
		case <-done:
			stopped = true
		}
	}
	return probed(devices, heard), errors.Join(broken, b.made.close())
}

// probed joins devices with what was heard of them.
func probed(devices []drivers.Device, heard map[string]error) []Probed {
	all := make([]Probed, len(devices))
	for i, d := range devices {
		info := d.Info()
		err, ok := heard[info.Name]
		if !ok {
			err = drivers.ErrSilent
		}
		all[i] = Probed{Name: info.Name, Port: info.Port, Model: info.Model, Err: err}
	}
	return all
}
