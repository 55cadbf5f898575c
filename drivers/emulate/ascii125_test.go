package emulate_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/emulate"
)

// overheard plugs a device into a cable in a bubble; hear waits and returns what
// came since.
func overheard[D emulate.Device](t *testing.T, build func() D, play func(d D, hear func(time.Duration) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device := build()
		host, line := drivertest.Cable()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- device.Serve(ctx, line) }()
		synctest.Wait()
		play(device, func(d time.Duration) string {
			time.Sleep(d)
			synctest.Wait()
			host.SetReadDeadline(time.Now().Add(time.Nanosecond))
			b, _ := io.ReadAll(host)
			return string(b)
		})
		cancel()
		<-served
	})
}

func do(t *testing.T, d emulate.Device, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if err := d.Do(c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func ascii(t *testing.T, model string) func() *emulate.ASCII125 {
	return func() *emulate.ASCII125 { return newASCII(t, model) }
}

func newASCII(t *testing.T, model string) *emulate.ASCII125 {
	d, err := emulate.NewASCII125(emulate.ASCII125Config{Model: model})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	rdmFrame    = "\x020A00F1B2C38A\x03"
	id12Frame   = "\x020A00F1B2C38A\r\n\x03"
	animalFrame = "\x02FC8977B6007E30010000000000\x00\xff\x03" // as a module sent it
)

func TestASCII125Frames(t *testing.T) {
	overheard(t, ascii(t, ""), func(rdm *emulate.ASCII125, hear func(time.Duration) string) {
		do(t, rdm, "present 0a00f1b2c3")
		if got := hear(140 * time.Millisecond); got != strings.Repeat(rdmFrame, 3) {
			t.Errorf("a tag that repeats: %q", got)
		}
		do(t, rdm, "repeat off")
		if got := hear(time.Second); got != "" {
			t.Errorf("repeats off: %q", got)
		}
		do(t, rdm, "remove", "present 0A00F1B2C3")
		if got := hear(time.Second); got != rdmFrame {
			t.Errorf("once: %q", got)
		}
		do(t, rdm, "repeat on", "present FFFFFFFFFE")
		if got := hear(time.Second); got != "" {
			t.Errorf("two tags: %q", got)
		}
		do(t, rdm, "remove 0A00F1B2C3")
		if got := hear(10 * time.Millisecond); got != "\x02FFFFFFFFFEFE\x03" {
			t.Errorf("the other one: %q", got)
		}
	})
	overheard(t, func() *emulate.ASCII125 {
		id12 := newASCII(t, emulate.ModelID12)
		do(t, id12, "present 0A00F1B2C3")
		return id12
	}, func(id12 *emulate.ASCII125, hear func(time.Duration) string) {
		if got := hear(time.Second); got != "" {
			t.Errorf("ID-12 tells of what lay there at power-up: %q", got)
		}
		do(t, id12, "remove", "present 0A00F1B2C3")
		if got := hear(time.Second); got != id12Frame {
			t.Errorf("ID-12: %q", got)
		}
	})
	overheard(t, ascii(t, emulate.ModelWL134), func(animal *emulate.ASCII125, hear func(time.Duration) string) {
		for _, id := range []string{"999001803000015", "F9C06B7798CF"} {
			do(t, animal, "present "+id)
			if got := hear(time.Second); got != animalFrame {
				t.Errorf("WL-134, %s: %q", id, got)
			}
			do(t, animal, "remove "+id)
		}
	})
}

func TestASCII125Faults(t *testing.T) {
	for fault, want := range map[string]string{
		emulate.FaultFlicker: rdmFrame + rdmFrame,
		emulate.FaultHalf:    rdmFrame[:7] + rdmFrame + rdmFrame[:7] + rdmFrame,
		emulate.FaultSilence: "",
	} {
		overheard(t, ascii(t, emulate.ModelRDM6300), func(d *emulate.ASCII125, hear func(time.Duration) string) {
			do(t, d, "fault "+fault, "present 0A00F1B2C3")
			if got := hear(210 * time.Millisecond); got != want {
				t.Errorf("%s: %q, want %q", fault, got, want)
			}
			do(t, d, "remove", "fault "+fault+" off")
			if hear(time.Second); hear(time.Second) != "" {
				t.Errorf("%s: goes on without a tag", fault)
			}
		})
	}
	overheard(t, ascii(t, emulate.ModelRDM6300), func(d *emulate.ASCII125, hear func(time.Duration) string) {
		do(t, d, "fault bad-checksum", "present 0A00F1B2C3")
		if got := hear(10 * time.Millisecond); len(got) != len(rdmFrame) || got == rdmFrame {
			t.Errorf("bad checksum: %q", got)
		}
		do(t, d, "fault bad-checksum off", "fault baud", "remove", "present 0A00F1B2C3")
		if got := hear(10 * time.Millisecond); len(got) != len(rdmFrame) || strings.ContainsAny(got, "0123456789ABCDEF\x02") {
			t.Errorf("wrong baud: %q", got)
		}
		do(t, d, "fault baud off", "fault delay", "remove", "present 0A00F1B2C3")
		if got := hear(30 * time.Millisecond); got != "" {
			t.Errorf("delay: %q after 30 ms", got)
		}
		if got := hear(20 * time.Millisecond); got != rdmFrame {
			t.Errorf("delay: %q after 50 ms", got)
		}
	})
}

func TestASCII125Refuses(t *testing.T) {
	if _, err := emulate.NewASCII125(emulate.ASCII125Config{Model: "id99"}); err == nil {
		t.Error("model id99 is known")
	}
	for model, commands := range map[string][]string{
		emulate.ModelRDM6300: {"present 0A00F1B2", "present 0A00F1B2CX", "present", "remove 0A00F1B2C3", "repeat maybe", "fault nothing", "dance"},
		emulate.ModelWL134:   {"present 0A00F1B2C3", "present 999999999999999", "present 99900180300001X", "present X9C06B7798CF"},
	} {
		for _, c := range commands {
			if err := newASCII(t, model).Do(c); err == nil {
				t.Errorf("%s: %s is no error", model, c)
			}
		}
	}
	d := newASCII(t, "")
	do(t, d, "present 0A00F1B2C3", "present 0A00F1B2C4")
	if d.Do("present 0A00F1B2C4") == nil || d.Do("present 0A00F1B2C5") == nil {
		t.Error("a tag twice, or a third one")
	}
	if !strings.Contains(d.Help(), "half") {
		t.Errorf("help %q", d.Help())
	}
}

// keysOf lists what events of 64 bits say: d and u for a key down and up, r for
// its repeat, ! for a buffer that ran over; ? for what is no key.
func keysOf(t *testing.T, stream string) (said []string) {
	t.Helper()
	if len(stream)%24 != 0 {
		t.Fatalf("%d bytes are no events", len(stream))
	}
	for e := range slices.Chunk([]byte(stream), 24) {
		kind, code, value := int(e[16])|int(e[17])<<8, int(e[18])|int(e[19])<<8, int(e[20])
		switch {
		case kind == 1:
			said = append(said, []string{"u", "d", "r"}[value]+string(rune('0'+code/100))+string(rune('0'+code/10%10))+string(rune('0'+code%10)))
		case kind == 0 && code == 3:
			said = append(said, "!")
		case kind != 0:
			said = append(said, "?")
		}
	}
	return said
}

func typist(t *testing.T, cfg emulate.WedgeConfig) func() *emulate.Wedge {
	return func() *emulate.Wedge {
		d, err := emulate.NewWedge(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func TestWedgeKeys(t *testing.T) {
	for _, tt := range []struct {
		cfg      emulate.WedgeConfig
		commands []string
		want     string
	}{
		{emulate.WedgeConfig{}, []string{"scan a1"}, "d030 u030 d002 u002 d028 u028"},
		{emulate.WedgeConfig{End: "tab"}, []string{"scan B"}, "d042 d048 u048 u042 d015 u015"},
		{emulate.WedgeConfig{End: "none", Layout: "de"}, []string{"scan z@"}, "d021 u021 d100 d016 u016 u100"},
		{emulate.WedgeConfig{Layout: "de"}, []string{"scan ^"}, "d041 u041 d057 u057 d028 u028"},
		{emulate.WedgeConfig{Layout: "fr"}, []string{"scan a1"}, "d016 u016 d042 d002 u002 u042 d028 u028"},
		{emulate.WedgeConfig{}, []string{"fault half", "scan a b"}, "d030 u030 d057 u057 d048 u048"},
		{emulate.WedgeConfig{}, []string{"fault silence", "scan a"}, ""},
		{emulate.WedgeConfig{}, []string{"fault auto-repeat", "scan a"}, "d030 r030 r030 r030 u030 d028 r028 r028 r028 u028"},
		{emulate.WedgeConfig{}, []string{"fault caps-lock", "scan aB"}, "d058 u058 d042 d030 u030 u042 d048 u048 d028 u028 d058 u058"},
		{emulate.WedgeConfig{}, []string{"fault dropped", "scan abc", "scan d"}, "d030 u030 ! d046 u046 d028 u028 d032 u032 d028 u028"},
	} {
		overheard(t, typist(t, tt.cfg), func(d *emulate.Wedge, hear func(time.Duration) string) {
			do(t, d, tt.commands...)
			if got := strings.Join(keysOf(t, hear(time.Second)), " "); got != tt.want {
				t.Errorf("%+v %q:\n%s, want\n%s", tt.cfg, tt.commands, got, tt.want)
			}
		})
	}
	overheard(t, typist(t, emulate.WedgeConfig{Bits: 32, Pace: 50 * time.Millisecond}), func(d *emulate.Wedge, hear func(time.Duration) string) {
		do(t, d, "fault foreign", "scan ab")
		if got := len(hear(40 * time.Millisecond)); got != 2*6*16 {
			t.Errorf("the first key makes %d bytes", got)
		}
		if got := len(hear(time.Second)); got != 4*6*16 {
			t.Errorf("the others make %d bytes", got)
		}
	})
}

func TestWedgeRefuses(t *testing.T) {
	for _, cfg := range []emulate.WedgeConfig{{Layout: "jp"}, {End: "space"}, {Bits: 16}} {
		if _, err := emulate.NewWedge(cfg); err == nil {
			t.Errorf("%+v is no error", cfg)
		}
	}
	d, err := emulate.NewWedge(emulate.WedgeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	do(t, d, "scan is lost, nobody listens")
	for _, c := range []string{"scan", "scan ß", "fault baud", "fault", "dance"} {
		if err := d.Do(c); err == nil {
			t.Errorf("%s is no error", c)
		}
	}
	if !strings.Contains(d.Help(), "dropped") {
		t.Errorf("help %q", d.Help())
	}
}
