package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"traveler.example/agent/peer"
)

type attackRun = func(ctx context.Context, f *foe) error

// doors are the attacks on connections. A broker that asks for certificates and
// keeps an access list stops every one of them before it begins; an open one
// lets them happen, and what is held here is only that they stay bounded.
var doors = []attack{
	{name: "taken client id", tries: "connects under the target's client id, whenever it can, so that the broker ends the target's session", run: func(ctx context.Context, f *foe) error {
		return f.again(ctx, 100*time.Millisecond, func(int) error {
			will := shot{topic: f.topics.Status(f.target.id), payload: peer.Status{Offline: 1}.Encode()}
			w, err := plugIn(f.broker, f.target.name, &will, nil)
			if err == nil {
				w.tear()
			}
			return err
		})
	}},
	{name: "wills", tries: "sessions that end at once with a will in the name of honest gateways", run: func(ctx context.Context, f *foe) error {
		return f.again(ctx, 20*time.Millisecond, func(n int) error {
			will := shot{topic: f.topics.Status(f.victim().id), payload: peer.Status{Offline: 1}.Encode()}
			w, err := plugIn(f.broker, fmt.Sprint("foe-", n), &will, nil)
			if err == nil {
				w.tear()
			}
			return err
		})
	}},
	{name: "churn", tries: "connections that come and go and subscribe to everything", run: func(ctx context.Context, f *foe) error {
		return f.again(ctx, 10*time.Millisecond, func(n int) error {
			w, err := plugIn(f.broker, fmt.Sprint("foe-", n%50), nil, nil, "#")
			if err == nil {
				w.tear()
			}
			return err
		})
	}},
	{name: "slow talker", tries: "connections that say half a packet and then nothing", run: func(ctx context.Context, f *foe) error {
		var open []net.Conn
		defer func() {
			for _, c := range open {
				_ = c.Close()
			}
		}()
		return f.again(ctx, 50*time.Millisecond, func(int) error {
			if len(open) >= 100 {
				return nil
			}
			c, err := net.DialTimeout("tcp", f.broker, wireLimit)
			if err != nil {
				return err
			}
			open = append(open, c)
			_, err = c.Write([]byte{0x10, 0xff, 0xff, 0x7f, 0, 4, 'M'})
			return err
		})
	}},
}

// again does one thing after the other until ctx ends, and counts them as sent.
// What the broker refuses is not this side's worry.
func (f *foe) again(ctx context.Context, pause time.Duration, do func(n int) error) error {
	beat := time.NewTicker(pause)
	defer beat.Stop()
	failed := 0
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			if n > 0 && failed == n {
				return errors.New("the broker let nothing of it happen")
			}
			return nil
		case <-beat.C:
		}
		f.sent++
		if do(n) != nil {
			failed++
		}
	}
}
