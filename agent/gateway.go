package agent

import (
	"context"
	"errors"
	"io"

	"traveler.example/drivers"
	profiles "traveler.example/firmware-profiles"
)

// Gateway is an agent with all that a profile gives it, and what has to be
// closed when it has ended.
type Gateway struct {
	*Agent
	profile  profiles.Profile // in force
	version  string
	hardware Hardware
	fittings fittings
	events   chan drivers.Event // of the fittings
	control  func(context.Context) error
	closers  []io.Closer

	reloads chan *reload
	over    chan struct{} // closed when Run returns
}

func newGateway() *Gateway {
	return &Gateway{
		events: make(chan drivers.Event, maxDeviceEvents), reloads: make(chan *reload), over: make(chan struct{}),
	}
}

// Close closes the replica, the control socket and the lights. Call it after Run
// has returned.
func (g *Gateway) Close() error {
	err := g.fittings.close()
	for i := len(g.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, g.closers[i].Close())
	}
	return err
}

// errReload is why the agent ends when it goes on at once under another profile.
var errReload = errors.New("the profile has changed")

// Run runs the gateway until ctx ends, through all reloads. What it returns is as
// of [Agent.Run]; it is called once.
func (g *Gateway) Run(ctx context.Context) error {
	defer close(g.over)
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); g.fittings.stop() }()
	failed := make(chan error, 1)
	g.fittings.start(ctx, g.events, failed)
	for {
		once, end := context.WithCancelCause(ctx)
		ended := make(chan error, 1)
		go func() { ended <- g.Agent.Run(once) }()
		select {
		case err := <-ended:
			end(nil)
			return err
		case err := <-failed:
			end(nil)
			return errors.Join(err, <-ended)
		case r := <-g.reloads:
			end(errReload)
			if err := <-ended; err != nil || ctx.Err() != nil {
				return err
			}
			g.adopt(ctx, r, failed)
			close(r.done)
		}
	}
}
