package mfrc522

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/nfctag"
)

// Each of these is something that the public driver of this chip gets wrong, or
// that a module on a desk does sooner or later.

// onChip runs a test in virtual time on a chip that was started.
func onChip(t *testing.T, cfg emulate.MFRC522Config, tags []string, check func(t *testing.T, c *chip, device *emulate.MFRC522)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(cfg)
		for _, tag := range tags {
			id, kind, _ := strings.Cut(tag, " ")
			if err := device.Present(id, kind); err != nil {
				t.Fatal(err)
			}
		}
		check(t, startChip(t, device), device)
	})
}

func startChip(t testing.TB, device *emulate.MFRC522) *chip {
	t.Helper()
	port, err := device.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { port.Close() })
	conn, err := port.Connect(DefaultClock, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	c := &chip{bus: bus{conn: conn}, gain: 0x40, pause: time.NewTimer(time.Hour)}
	t.Cleanup(func() { c.pause.Stop() })
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// found wakes, identifies and halts one tag.
func found(t *testing.T, c *chip, code byte) identifier {
	t.Helper()
	there, _, err := c.request(t.Context(), code)
	if err != nil || !there {
		t.Fatalf("request: there %v, %v", there, err)
	}
	id, err := c.identify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	return id
}

func use(t *testing.T, c *chip, id string) *activeTag {
	t.Helper()
	uid, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	tag := &activeTag{chip: c}
	if _, _, err := tag.activate(t.Context(), uid); err != nil {
		t.Fatal(err)
	}
	return tag
}

// SELECT is sent at every level, so that the tag takes commands afterwards.
func TestSevenByteTagIsSelected(t *testing.T) {
	for _, tag := range []string{"DEADBEEF classic1k", "04A1B2C3D4E580 ntag213", "04A1B2C3D4E5868788A9 desfire"} {
		onChip(t, emulate.MFRC522Config{}, []string{tag}, func(t *testing.T, c *chip, device *emulate.MFRC522) {
			var selected []string
			defer device.Observe(func(a emulate.Act) {
				if a.Verb == emulate.DidRead {
					selected = append(selected, a.Tag)
				}
			})()
			id := found(t, c, cmdWUPA)
			want, _, _ := strings.Cut(tag, " ")
			if got := fmt.Sprintf("%X", id.uid()); got != want || len(selected) != 1 || selected[0] != want {
				t.Errorf("%s: found %s, selected %v", tag, got, selected)
			}
		})
	}
}

func TestReadsWithoutAuthentication(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"04A1B2C3D4E580 ntag213"}, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
		b, err := use(t, c, "04A1B2C3D4E580").Exchange(t.Context(), []byte{0x30, 0x00})
		if err != nil || len(b) != 16 || fmt.Sprintf("%X", b[:3]) != "04A1B2" {
			t.Errorf("READ 0: % X, %v", b, err)
		}
	})
}

func TestAuthenticationUsesLastFourBytes(t *testing.T) {
	for _, id := range []string{"DEADBEEF", "04A1B2C3D4E580"} {
		onChip(t, emulate.MFRC522Config{}, []string{id + " classic1k"}, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
			tag := use(t, c, id)
			if err := tag.Authenticate(t.Context(), 4, nfctag.KeyA, nfctag.KeyFactory); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			if b, err := tag.Exchange(t.Context(), []byte{0x30, 4}); err != nil || len(b) != 16 {
				t.Errorf("%s: block 4: % X, %v", id, b, err)
			}
			// A key that is wrong is refused, and the tag can be woken afterwards: in
			// clear, since the cipher was switched off.
			if err := tag.Authenticate(t.Context(), 8, nfctag.KeyA, nfctag.KeyMAD); !errors.Is(err, nfctag.ErrUnanswered) {
				t.Errorf("%s: wrong key: %v", id, err)
			}
			if err := tag.Reselect(t.Context()); err != nil {
				t.Errorf("%s: after the wrong key: %v", id, err)
			}
		})
	}
}

func TestBlockThreeIsBlockThree(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"DEADBEEF classic1k"}, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
		tag := use(t, c, "DEADBEEF")
		if err := tag.Authenticate(t.Context(), 3, nfctag.KeyA, nfctag.KeyFactory); err != nil {
			t.Fatal(err)
		}
		b, err := tag.Exchange(t.Context(), []byte{0x30, 3})
		if got := fmt.Sprintf("%X", b); err != nil || got != "000000000000FF078069FFFFFFFFFFFF" {
			t.Errorf("block 3 reads %s, %v; want the trailer", got, err)
		}
	})
}

func TestHaltedTagIsWoken(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"DEADBEEF"}, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
		for range 3 {
			found(t, c, cmdWUPA)
			if there, _, err := c.request(t.Context(), cmdREQA); there || err != nil {
				t.Fatalf("a halted tag answered REQA (%v)", err)
			}
		}
	})
}

func TestNoIRQPin(t *testing.T) {
	for _, irq := range []gpio.PinIn{nil, gpio.INVALID} { // INVALID fails on all access
		synctest.Test(t, func(t *testing.T) {
			device := emulate.NewMFRC522(emulate.MFRC522Config{})
			reader, err := New(Config{Name: "bench", Open: device.Open, IRQ: irq})
			if err != nil {
				t.Fatal(err)
			}
			events := follow(t, reader)
			events.expect(t, drivers.Up, "")
			device.Present("DEADBEEF", "")
			events.expect(t, drivers.Arrived, "DEADBEEF")
		})
	}
}

// followed are the events of a run that ends with the test.
type followed struct {
	events chan drivers.Event
	faults []error
}

func follow(t *testing.T, reader *Reader) *followed {
	ctx, cancel := context.WithCancel(t.Context())
	f, done := &followed{events: make(chan drivers.Event, 64)}, make(chan struct{})
	go func() { defer close(done); reader.Run(ctx, f.events) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// expect waits for the next event other than Fault.
func (f *followed) expect(t *testing.T, k drivers.Kind, tag string) drivers.Event {
	t.Helper()
	for {
		select {
		case e := <-f.events:
			if e.Kind == drivers.Fault {
				f.faults = append(f.faults, e.Err)
				continue
			}
			if e.Kind != k || e.Tag.ID != tag {
				t.Fatalf("event %v %v (%v), want %v %s", e.Kind, e.Tag, e.Err, k, tag)
			}
			return e
		case <-time.After(30 * time.Second):
			t.Fatalf("no event, want %v %s", k, tag)
		}
	}
}

// quiet takes in what comes within a time, which may be nothing but faults.
func (f *followed) quiet(t *testing.T, d time.Duration) {
	t.Helper()
	limit := time.After(d)
	for {
		select {
		case e := <-f.events:
			if e.Kind != drivers.Fault {
				t.Fatalf("event %v %v (%v), want none", e.Kind, e.Tag, e.Err)
			}
			f.faults = append(f.faults, e.Err)
		case <-limit:
			return
		}
	}
}

// Every bit of ErrorReg makes an error, whatever else the chip says.
func TestErrorsAreNotSwallowed(t *testing.T) {
	for bit, want := range map[byte]error{
		errWrite: drivers.ErrProtocol, errTemperature: drivers.ErrProtocol, errOverflow: drivers.ErrProtocol,
		errCollision: errCollided, errCRC: errDamaged, errParity: errDamaged, errFraming: errDamaged,
	} {
		for _, irq := range []byte{irqRx, irqRx | irqErr, irqRx | irqErr | irqTimer, irqErr | irqTimer} {
			c := scripted(status{stIrq: irq, stError: bit, stLevel: 2}, []byte{0x04, 0x00})
			_, err := c.transceive(t.Context(), frame{bytes: []byte{cmdREQA}, lastBits: 7, ticks: pollTicks})
			if !errors.Is(err, want) {
				t.Errorf("ErrorReg %02X with ComIrqReg %02X: %v, want %v", bit, irq, err, want)
			}
		}
	}
}

func TestReadIsCheckedByCRC(t *testing.T) {
	data := []byte("sixteen bytes of")
	crc := crcA(data)
	whole := append(data, crc[:]...)
	for name, tt := range map[string]struct {
		answer []byte
		bits   byte
		ok     bool
	}{
		"right":          {whole, 0, true},
		"wrong CRC":      {append(data[:16:16], crc[0], crc[1]^1), 0, false},
		"wrong data":     {append([]byte("Sixteen bytes of"), crc[:]...), 0, false},
		"without CRC":    {data[:16], 0, false},
		"broken off":     {whole, 3, false},
		"only a CRC":     {whole[16:], 0, false},
		"ACK":            {[]byte{0x0A}, 4, true},
		"NAK":            {[]byte{0x00}, 4, false},
		"NAK 5":          {[]byte{0x05}, 4, false},
		"ACK as a byte":  {[]byte{0x0A}, 0, false},
		"nothing at all": {nil, 0, false},
	} {
		s := status{stIrq: irqRx, stLevel: byte(len(tt.answer)), stControl: tt.bits}
		tag := &activeTag{chip: scripted(s, tt.answer)}
		if _, err := tag.Exchange(t.Context(), []byte{0x30, 4}); (err == nil) != tt.ok || err != nil && !errors.Is(err, nfctag.ErrUnanswered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The public driver takes 119 transfers for a UID of four bytes and 145 for one
// of seven, measured on this emulator.
func TestFewTransfers(t *testing.T) {
	for tag, limit := range map[string]int{"DEADBEEF": 35, "04A1B2C3D4E580": 50, "04A1B2C3D4E5868788A9": 65} {
		onChip(t, emulate.MFRC522Config{}, []string{tag}, func(t *testing.T, c *chip, device *emulate.MFRC522) {
			before := device.Transfers()
			found(t, c, cmdWUPA)
			n := device.Transfers() - before
			t.Logf("%s: %d transfers, halted again", tag, n)
			if n > limit {
				t.Errorf("%s: %d transfers, want at most %d", tag, n, limit)
			}
		})
	}
	onChip(t, emulate.MFRC522Config{}, nil, func(t *testing.T, c *chip, device *emulate.MFRC522) {
		c.request(t.Context(), cmdWUPA)
		before := device.Transfers()
		c.request(t.Context(), cmdWUPA)
		if n := device.Transfers() - before; n > 8 {
			t.Errorf("%d transfers for a look at an empty field, want at most 8", n)
		}
	})
}

// Waiting is no loop: a tag that never answers a long command costs a look now
// and then, and a chip whose timer never ends is found out.
func TestWaitsWithoutALoop(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"04A1B2C3D4E580"}, func(t *testing.T, c *chip, device *emulate.MFRC522) {
		tag := use(t, c, "04A1B2C3D4E580")
		before := device.Transfers()
		if _, err := tag.Exchange(t.Context(), []byte{0xFF, 0xFF}); !errors.Is(err, nfctag.ErrUnanswered) {
			t.Error(err)
		}
		if n := device.Transfers() - before; n > 40 {
			t.Errorf("%d transfers while a tag was silent for 25 ms", n)
		}
		device.Remove("")
		device.Fault(emulate.FaultNoTimer, true)
		if _, _, err := c.request(t.Context(), cmdREQA); !errors.Is(err, drivers.ErrSilent) {
			t.Errorf("chip without a timer: %v, want ErrSilent", err)
		}
	})
}

// One reader can be run again after its run has ended.
func TestRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(emulate.MFRC522Config{})
		reader, err := New(Config{Name: "bench", Open: device.Open})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			events, done := make(chan drivers.Event, 8), make(chan error, 1)
			go func() { done <- reader.Run(ctx, events) }()
			if e := <-events; e.Kind != drivers.Up {
				t.Errorf("%v (%v)", e.Kind, e.Err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// The chip is reset when it is opened and never while it is read.
func TestResetsOnceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(emulate.MFRC522Config{})
		resets := 0
		defer device.Observe(func(a emulate.Act) {
			if a.Verb == emulate.DidWake {
				resets++
			}
		})()
		reader, err := New(Config{Name: "bench", Open: device.Open})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the chip was powered up long before
		events := follow(t, reader)
		events.expect(t, drivers.Up, "")
		device.Present("DEADBEEF", "")
		events.expect(t, drivers.Arrived, "DEADBEEF")
		events.quiet(t, 20*time.Second)
		if resets != 1 || len(events.faults) != 0 {
			t.Errorf("%d resets and faults %v, want 1 and none", resets, events.faults)
		}
	})
}
