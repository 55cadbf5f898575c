package emulate

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

const (
	lateness    = 40 * time.Millisecond  // FaultDelay
	fragmentGap = 300 * time.Microsecond // FaultFragment; long enough for a host to read in between
)

// noise is what FaultGarbage sends: line noise, the beginning of a PN532 frame
// that never comes, half a line of a scale, and bytes that tear up text.
var noise = []byte{0x00, 0xFF, 0x00, 0x00, 0xFF, 0x12, 0xEE, 0xD5, 'S', ' ', 0x80, 0xFE, '\r'}

// speedometer is a line that knows at what speed its other end is set.
type speedometer interface{ Baud() (int, error) }

// packetLine is a line that a host reads whole packets from: no bus tears them.
type packetLine interface{ writePacket([]byte) error }

// wire is a device's end of a line, with the faults of the line.
type wire struct {
	ctx    context.Context
	line   io.ReadWriteCloser
	faults *faults
	baud   int  // what the device speaks
	paced  bool // bytes take their time
	out    chan packet
}

// packet is what goes out at once, and when.
type packet struct {
	due   time.Time
	bytes []byte
}

// backlog is how many packets may be under way before a device waits for its
// host to read.
const backlog = 64

// garbled reports whether both ends speak at different speeds. A
// pseudo-terminal carries bytes whatever the speed, so this is for the device
// to play.
func (w *wire) garbled() bool {
	if w.faults.on(FaultBaud) {
		return true
	}
	s, ok := w.line.(speedometer)
	if !ok {
		return false
	}
	baud, err := s.Baud()
	return err == nil && baud != w.baud
}

func (w *wire) read(b []byte) (int, error) {
	n, err := w.line.Read(b)
	if n > 0 && w.garbled() {
		garble(b[:n])
	}
	w.take(n)
	return n, err
}

// write sends b to the host, with the faults that are on now. It keeps b.
func (w *wire) write(b []byte) {
	if w.faults.on(FaultSilence) {
		return
	}
	p := packet{due: time.Now(), bytes: b}
	if w.faults.on(FaultDelay) {
		p.due = p.due.Add(lateness)
	}
	if w.faults.on(FaultGarbage) {
		p.bytes = append(bytes.Clone(noise), b...)
	}
	select {
	case w.out <- p:
	case <-w.ctx.Done():
	}
}

// transmit puts what was written on the line, in its own goroutine: a delay is
// one of the line and does not keep the device from its work.
func (w *wire) transmit() {
	for {
		select {
		case p := <-w.out:
			pause(w.ctx, time.Until(p.due))
			if w.put(p.bytes) != nil {
				return // receive sees the end of the line too
			}
		case <-w.ctx.Done():
			return
		}
	}
}

func (w *wire) put(b []byte) error {
	if w.garbled() {
		b = bytes.Clone(b)
		garble(b)
	}
	w.take(len(b))
	if bus, ok := w.line.(packetLine); ok {
		return bus.writePacket(b)
	}
	if !w.faults.on(FaultFragment) {
		_, err := w.line.Write(b)
		return err
	}
	for i := range b {
		if _, err := w.line.Write(b[i : i+1]); err != nil {
			return err
		}
		pause(w.ctx, fragmentGap)
	}
	return nil
}

// take lets n bytes take the time that they need on a line: ten bits each.
func (w *wire) take(n int) {
	if w.paced {
		pause(w.ctx, time.Duration(n)*10*time.Second/time.Duration(w.baud))
	}
}

// garble does to bytes about what sampling them at the wrong speed does.
func garble(b []byte) {
	for i, x := range b {
		b[i] = (x>>3|x<<5)&0xEE | 0x80
	}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// receive reads the wire in a goroutine of its own, so that a device can hear
// its host while it waits for something else. The channel is closed when the
// line breaks or ctx ends.
func (w *wire) receive() <-chan []byte {
	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		buf := make([]byte, 512)
		for {
			n, err := w.read(buf)
			if n > 0 {
				select {
				case chunks <- append([]byte(nil), buf[:n]...):
				case <-w.ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return chunks
}

// serve runs loop on a line until the line breaks or ctx ends, and waits for
// everything it started.
func serve(ctx context.Context, w wire, loop func(*wire, <-chan []byte)) {
	ctx, cancel := context.WithCancel(ctx)
	w.ctx, w.out = ctx, make(chan packet, backlog)
	var helpers sync.WaitGroup
	helpers.Go(func() {
		<-ctx.Done()
		w.line.Close()
	})
	helpers.Go(w.transmit)
	chunks := w.receive()
	loop(&w, chunks)
	cancel()
	helpers.Wait()
	for range chunks {
	}
}
