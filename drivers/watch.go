package drivers

import "context"

// Watch runs a device and hands each of its events to see, until that is done or
// fails, or ctx ends. The device has ended, and its port is free, when Watch
// returns.
func Watch(ctx context.Context, d Device, see func(Event) (done bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	events, ended := make(chan Event), make(chan error, 1)
	go func() { ended <- d.Run(ctx, events) }()
	defer func() {
		cancel()
		for {
			select {
			case <-events: // Run may be sending still
			case <-ended:
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			if done, err := see(e); done || err != nil {
				return err
			}
		}
	}
}
