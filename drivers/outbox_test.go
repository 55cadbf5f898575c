package drivers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"traveler.example/drivers"
)

func TestOutbox(t *testing.T) {
	now, trouble := time.Now(), errors.New("noise")
	o := drivers.Outbox{Reader: "in", Pause: time.Second}
	for _, after := range []time.Duration{0, 999 * time.Millisecond, time.Second} {
		o.Fault(now.Add(after), trouble)
	}
	o.Report(now, trouble)
	if len(o.Events) != 3 {
		t.Fatalf("%d faults are told", len(o.Events))
	}
	if e := o.Events[0]; e.Kind != drivers.Fault || e.Reader != "in" || !errors.Is(e.Err, trouble) || e.Err.Error() != "in: noise" {
		t.Errorf("told: %+v", e)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Send(ended, nil); !errors.Is(err, context.Canceled) || len(o.Events) != 3 {
		t.Errorf("nobody takes them: %v, %d are left", err, len(o.Events))
	}
	taken := make(chan drivers.Event, 3)
	if err := o.Send(t.Context(), taken); err != nil || len(taken) != 3 || len(o.Events) != 0 {
		t.Errorf("%v: %d were taken, %d are left", err, len(taken), len(o.Events))
	}
}

func TestRecoveries(t *testing.T) {
	var r drivers.Recoveries
	now, cause := time.Now(), errors.New("silence")
	for round := range 2 {
		for n := range 5 {
			err := r.Begin(now, cause)
			if tooMany := n == 4; (err != nil) != tooMany || tooMany && !errors.Is(err, cause) {
				t.Errorf("round %d: recovery %d: %v", round, n+1, err)
			}
			r.Done(now)
			now = now.Add(time.Second)
		}
		now = now.Add(2 * time.Second) // well for a while
	}
}
