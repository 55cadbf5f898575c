package mfrc522

import (
	"fmt"

	"periph.io/x/conn/v3/spi"
)

// bus reads and writes registers over SPI (data sheet, 8.1.2). A transfer writes
// one register, as often as there are values, or reads any number of them.
type bus struct {
	conn spi.Conn
	out  [1 + fifoSize]byte
	in   [1 + fifoSize]byte
}

// write writes values to a register, one after the other.
func (b *bus) write(register byte, values ...byte) error {
	b.out[0] = register << 1
	n := 1 + copy(b.out[1:], values)
	if err := b.conn.Tx(b.out[:n], nil); err != nil {
		return fmt.Errorf("write register %02X: %w", register, err)
	}
	return nil
}

// read reads registers into dst in one transfer.
func (b *bus) read(dst []byte, registers ...byte) error {
	for i, r := range registers {
		b.out[i] = 0x80 | r<<1
	}
	return b.fetch(dst, len(registers))
}

// readFIFO takes len(dst) bytes out of the FIFO in one transfer.
func (b *bus) readFIFO(dst []byte) error {
	for i := range dst {
		b.out[i] = 0x80 | regFIFOData<<1
	}
	return b.fetch(dst, len(dst))
}

func (b *bus) fetch(dst []byte, n int) error {
	b.out[n] = 0
	if err := b.conn.Tx(b.out[:n+1], b.in[:n+1]); err != nil {
		return fmt.Errorf("read %d registers from %02X on: %w", n, b.out[0]>>1&0x3F, err)
	}
	copy(dst, b.in[1:n+1])
	return nil
}
