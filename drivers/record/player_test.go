package record_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"traveler.example/drivers"
	"traveler.example/drivers/drivertest"
	"traveler.example/drivers/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, text string) []record.Exchange {
	t.Helper()
	all, err := record.Parse(strings.NewReader(head + text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		host, device := drivertest.Cable()
		ports := []drivers.Port{nil, host}
		r := record.NewRecorder(func(context.Context) (drivers.Port, error) {
			p := ports[0]
			if ports = ports[1:]; p == nil {
				return nil, errors.New("no such\nport")
			}
			return p, nil
		}, &out)
		if _, err := r.Open(t.Context()); err == nil {
			t.Error("the error of the opener is lost")
		}
		time.Sleep(time.Second)
		p, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Write([]byte{0x55, 0xAA})
		time.Sleep(1500 * time.Microsecond)
		device.Write([]byte("\x02\x03"))
		b := make([]byte, 8)
		p.Read(b)
		p.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := p.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		p.Write(make([]byte, record.MaxData+1))
		p.SetReadDeadline(time.Time{})
		device.Close()
		p.Read(b)
		p.Close()
		zeros := strings.Repeat("00", record.MaxData)
		want := head + "0.000000 ! no such port\n1.000000 +\n1.000000 > 55AA\n1.001500 < 0203\n2.001500 > " + zeros + "\n2.001500 > 00\n2.001500 ! EOF\n"
		if out.String() != want || r.Err() != nil {
			t.Errorf("recorded\n%s%v", out.String(), r.Err())
		}
		if _, err := record.Parse(&out); err != nil {
			t.Error(err)
		}
	})
}

// limited takes so many bytes.
type limited struct{ left int }

func (w *limited) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

// A recording that cannot go on does not disturb the session.
func TestRecorderStops(t *testing.T) {
	for _, tt := range []struct {
		out  io.Writer
		want error
	}{{&limited{60}, io.ErrShortWrite}, {io.Discard, record.ErrFull}} {
		host, _ := drivertest.Cable()
		r := record.NewRecorder(func(context.Context) (drivers.Port, error) { return host, nil }, tt.out)
		p, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range record.MaxExchanges {
			if _, err := p.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
		}
		if !errors.Is(r.Err(), tt.want) {
			t.Errorf("recording stopped with %v, want %v", r.Err(), tt.want)
		}
		p.Close()
	}
}

func TestPlayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := record.NewPlayer(parse(t, `10.000000 ! no such file
11.000000 +
11.500000 > 0102
11.500000 > 03
11.510000 < AABBCC
12.000000 ! device was unplugged
13.000000 +
13.000000 -
`))
		started := time.Now()
		passed := func(want time.Duration) {
			t.Helper()
			if got := time.Since(started); got != want {
				t.Errorf("it is %v, want %v", got, want)
			}
		}
		if _, err := p.Open(t.Context()); err == nil || err.Error() != "no such file" {
			t.Errorf("opened: %v", err)
		}
		port, err := p.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		passed(time.Second) // the first exchange is the beginning
		b := make([]byte, 2)
		port.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := port.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read before there is anything: %v", err)
		}
		passed(1100 * time.Millisecond)
		for _, part := range []string{"\x01", "\x02\x03"} { // what counts are the bytes, not how they are cut
			if _, err := port.Write([]byte(part)); err != nil {
				t.Error(err)
			}
		}
		passed(1500 * time.Millisecond)
		port.SetReadDeadline(time.Now().Add(8 * time.Millisecond)) // it came a little late in the recording
		for _, want := range []string{"\xaa\xbb", "\xcc"} {
			if n, err := port.Read(b); string(b[:n]) != want || err != nil {
				t.Errorf("read % x, %v, want % x", b[:n], err, want)
			}
		}
		passed(1510 * time.Millisecond)
		port.SetReadDeadline(time.Time{})
		if _, err := port.Read(b); !errors.Is(err, drivers.ErrUnplugged) {
			t.Errorf("read at the loss: %v", err)
		}
		passed(2 * time.Second)
		port.Close()
		if port, err = p.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		passed(3 * time.Second)
		<-p.Done()
		go func() { time.Sleep(time.Second); port.Close() }()
		if _, err := port.Read(b); !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("read during Close: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A recording that was cut says nothing of what comes after.
func TestPlayerBeyondTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := record.NewPlayer(parse(t, "0.000000 +\n0.100000 > 0102\n"))
		port, err := p.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := port.Write([]byte{1, 2}); err != nil {
				t.Error(err)
			}
		}
		<-p.Done()
		port.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := port.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		port.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPlayerIsStrict(t *testing.T) {
	const session = "0.000000 +\n0.100000 > 0102\n0.200000 < AA\n0.300000 -\n"
	use := func(steps func(p drivers.Port)) func(*record.Player) {
		return func(p *record.Player) {
			if port, err := p.Open(context.Background()); err == nil {
				steps(port)
				port.Close()
			}
		}
	}
	write := func(p drivers.Port, s string) { p.Write([]byte(s)) }
	read := func(p drivers.Port) {
		p.SetReadDeadline(time.Now().Add(time.Second))
		p.Read(make([]byte, 8))
	}
	for _, tt := range []struct {
		name string
		play func(*record.Player)
		want string // "" means as recorded
	}{
		{"as recorded", use(func(p drivers.Port) { write(p, "\x01\x02"); read(p) }), ""},
		{"nothing at all", func(*record.Player) {}, "4 exchanges were not reached"},
		{"other bytes", use(func(p drivers.Port) { write(p, "\x01\x03") }), "writes 01 03, not 01 02; exchange 2 is"},
		{"too few bytes", use(func(p drivers.Port) { write(p, "\x01"); read(p) }), "closes the port; exchange 2 is"},
		{"too many bytes", use(func(p drivers.Port) { write(p, "\x01\x02\x03") }), "writes 03; exchange 3 is"},
		{"not read", use(func(p drivers.Port) { write(p, "\x01\x02") }), "closes the port; exchange 3 is"},
		{"read first", use(func(p drivers.Port) { read(p) }), "closes the port; exchange 2 is"},
		{"written beyond the end", use(func(p drivers.Port) { write(p, "\x01\x02"); read(p); write(p, "\x04") }), "writes 04; exchange 4 is"},
		{"written before the recorded end", use(func(p drivers.Port) { read(p); write(p, "\x01\x02"); write(p, "\x01") }), "writes 01; exchange 3 is"},
		{"opened twice", func(p *record.Player) { p.Open(context.Background()); p.Open(context.Background()) }, "opened while it is open"},
		{"opened again", func(p *record.Player) {
			use(func(p drivers.Port) { write(p, "\x01\x02"); read(p) })(p)
			p.Open(context.Background())
		}, "opened after the last of 4 exchanges"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := record.NewPlayer(parse(t, session))
			tt.play(p)
			err := p.Close()
			if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, record.ErrDeviates) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
		})
	}
}
