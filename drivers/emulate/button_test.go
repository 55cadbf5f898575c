package emulate_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"traveler.example/drivers/emulate"
)

// edges lists when WaitForEdge returns, in µs since the call, until it times out.
func edges(b *emulate.Button, timeout time.Duration) []int64 {
	var at []int64
	for start := time.Now(); b.WaitForEdge(timeout); {
		at = append(at, time.Since(start).Microseconds())
		if len(at) > 20 {
			break
		}
	}
	return at
}

func TestButtonLevels(t *testing.T) {
	for _, tt := range []struct {
		activeLow bool
		pull      gpio.Pull
		up, down  gpio.Level
	}{
		{true, gpio.PullUp, gpio.High, gpio.Low},
		{false, gpio.PullDown, gpio.Low, gpio.High},
		{true, gpio.PullNoChange, gpio.High, gpio.Low}, // a resistor beside it
		{false, gpio.Float, gpio.Low, gpio.High},
		{true, gpio.PullDown, gpio.Low, gpio.Low}, // the wrong pull: always as if pressed
	} {
		b := emulate.NewButton("GPIO5", tt.activeLow)
		b.Bounce()
		if err := b.In(tt.pull, gpio.BothEdges); err != nil {
			t.Fatal(err)
		}
		up := b.Read()
		b.Press()
		if down := b.Read(); up != tt.up || down != tt.down || b.Pull() != tt.pull {
			t.Errorf("%+v: %v up, %v down", tt, up, down)
		}
	}
}

func TestButtonEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := emulate.NewButton("GPIO5", false)
		if b.WaitForEdge(time.Second) {
			t.Error("an edge without In")
		}
		b.In(gpio.PullDown, gpio.BothEdges)
		b.Bounce(time.Millisecond, 2*time.Millisecond)
		time.Sleep(time.Second)
		b.Press()
		if got := edges(b, time.Second); len(got) != 3 || got[0] != 0 || got[1] != 1000 || got[2] != 3000 {
			t.Errorf("edges at %v µs, want 0 1000 3000", got)
		}
		// Edges that came before the wait are told at once, and once.
		b.Bounce(time.Millisecond)
		b.Release()
		time.Sleep(time.Second)
		if got := edges(b, time.Second); len(got) != 1 || got[0] != 0 || b.Read() != gpio.Low {
			t.Errorf("edges at %v µs, level %v", got, b.Read())
		}
		b.Fault(emulate.FaultChatter, true)
		if got := edges(b, time.Second); len(got) < 20 {
			t.Errorf("chatter is %d edges", len(got))
		}
		b.Fault(emulate.FaultChatter, false)
		b.Fault(emulate.FaultEndless, true)
		time.AfterFunc(time.Minute, func() { b.Halt() })
		started := time.Now()
		for b.WaitForEdge(time.Second) { // what chatter left
		}
		if time.Since(started) != time.Minute {
			t.Errorf("the wait hung for %v, until Halt it is a minute", time.Since(started))
		}
	})
}

func TestButtonCommands(t *testing.T) {
	b := emulate.NewButton("GPIO5", false)
	var acts []string
	cancel := b.Observe(func(a emulate.Act) { acts = append(acts, a.String()) })
	defer cancel()
	b.Bounce()
	b.In(gpio.PullDown, gpio.BothEdges)
	for _, command := range []string{"press", "release", "fault stuck"} {
		if err := b.Do(command); err != nil {
			t.Error(err)
		}
	}
	if !b.Read() || b.Halt() != nil || b.Name() != "GPIO5" || b.String() != "GPIO5" || b.Function() != "In/High" || b.DefaultPull() != gpio.PullNoChange || b.Number() != 0 {
		t.Error("a stuck button is not what it is")
	}
	b.Do("fault stuck off")
	if b.Read() {
		t.Error("stuck without the fault")
	}
	b.Do("fault pin")
	if err := b.In(gpio.PullDown, gpio.BothEdges); err == nil {
		t.Error("a pin that is held was set up")
	}
	for _, bad := range []string{"", "push", "press hard", "fault", "fault no"} {
		if err := b.Do(bad); err == nil {
			t.Errorf("%q was carried out", bad)
		}
	}
	if got := strings.Join(acts, ","); got != "host configure PullDown BothEdges,host release pin" {
		t.Errorf("observed %s", got)
	}
	if !strings.Contains(b.Help(), "release") {
		t.Errorf("help is %q", b.Help())
	}
}
