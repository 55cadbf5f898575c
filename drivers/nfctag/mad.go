package nfctag

import (
	"context"
	"errors"
	"fmt"

	"traveler.example/drivers"
)

// The application directory of a MIFARE Classic (NXP AN10787): version 1 lies in
// blocks 1 and 2 and speaks of sectors 1 to 15; version 2 lies in sector 16 as
// well and speaks of sectors 17 to 39.
const (
	madSector2  = 16
	madSize1    = 2 * blockSize
	madSize2    = 3 * blockSize
	madFlag     = 0x80   // in the general purpose byte: there is a directory
	madVersion  = 0x03   // in the general purpose byte
	gpbOffset   = 9      // of the general purpose byte in the trailer
	aidFree     = 0x0000 // of a sector that nobody uses
	aidNDEF     = 0xE103 // of a sector with NDEF (AN1305, 3.1): bytes 03 E1
	madPreset   = 0xC7   // of the checksum
	madPoly     = 0x1D
	madInfoByte = 0x01 // of a directory that we make: publisher sector 1
)

// directory is what the application directory says of each sector: its
// application, by number of the sector. Nil means that there is no directory.
type directory map[int]uint16

// directory reads the application directory.
func (c *classic) directory(ctx context.Context) (directory, error) {
	_, trailer := sectorBlocks(0)
	b, err := c.get(ctx, trailer)
	if err != nil {
		return nil, fmt.Errorf("application directory: %w", err)
	}
	gpb := b[gpbOffset]
	if gpb&madFlag == 0 || gpb&madVersion == 0 || gpb&madVersion == madVersion {
		return nil, nil
	}
	dir := directory{}
	if err := c.readMAD(ctx, dir, 1, 1, madSize1); err != nil {
		return nil, err
	}
	if gpb&madVersion == 2 && c.sectors > madSector2 {
		first, _ := sectorBlocks(madSector2)
		if err := c.readMAD(ctx, dir, first, madSector2+1, madSize2); err != nil {
			return nil, err
		}
	}
	return dir, nil
}

func (c *classic) readMAD(ctx context.Context, dir directory, block byte, sector, size int) error {
	var all []byte
	for ; len(all) < size; block++ {
		b, err := c.get(ctx, block)
		if err != nil {
			return fmt.Errorf("application directory: %w", err)
		}
		all = append(all, b...)
	}
	err := dir.parse(all, sector)
	if err != nil {
		// Whose the sectors are is not known: none of them is ours to give away.
		return fmt.Errorf("%w: %w", drivers.ErrLocked, err)
	}
	return nil
}

var errMAD = errors.New("application directory is damaged")

// parse reads one part of a directory: checksum, info byte, and two bytes for
// each sector from the given one on, low byte first.
func (d directory) parse(b []byte, sector int) error {
	if got, want := b[0], madCRC(b[1:]); got != want {
		return fmt.Errorf("%w: checksum %02X, %02X is right", errMAD, got, want)
	}
	for b = b[2:]; len(b) >= 2; b = b[2:] {
		d[sector] = uint16(b[1])<<8 | uint16(b[0])
		sector++
	}
	return nil
}

// makeMAD makes one part of a directory that gives n sectors to NDEF.
func makeMAD(size, n int) []byte {
	b := make([]byte, size)
	b[1] = madInfoByte
	for i := range n {
		b[2+2*i], b[3+2*i] = byte(aidNDEF&0xFF), byte(aidNDEF>>8)
	}
	b[0] = madCRC(b[1:])
	return b
}

// madCRC is the checksum of a directory (AN10787, 3.7).
func madCRC(b []byte) byte {
	crc := byte(madPreset)
	for _, x := range b {
		crc ^= x
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ madPoly
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// userBlocks returns the blocks of the user area, and whether it is NDEF's.
func userBlocks(dir directory, sectors int) (blocks []byte, ndef bool) {
	first := 0
	for s := range sectors {
		if aid, ok := dir[s]; ok && aid == aidNDEF {
			ndef, first = true, s
			break
		}
	}
	for s := first; s < sectors; s++ {
		aid, listed := dir[s]
		switch {
		case ndef && s == madSector2:
			continue // NDEF goes on behind the second part of the directory
		case ndef && aid != aidNDEF:
			return blocks, true // NDEF sectors follow each other (AN1305, 4.2)
		case !ndef && dir != nil && (!listed || aid != aidFree):
			continue
		}
		from, trailer := sectorBlocks(s)
		for b := from; b < trailer; b++ {
			if b != 0 {
				blocks = append(blocks, b)
			}
		}
	}
	return blocks, ndef
}

// Trailers of a card with NDEF (AN1305, 6.3): everybody may read the directory,
// key B is needed to change it; everybody may read and write NDEF sectors.
var (
	accessMAD  = [3]byte{0x78, 0x77, 0x88}
	accessNDEF = [3]byte{0x7F, 0x07, 0x88}
)

const (
	gpbMAD1 = 0xC1 // directory version 1, card of many applications
	gpbMAD2 = 0xC2
	gpbNDEF = 0x40 // NDEF mapping version 1.0, read and write
)

func trailer(key Key, access [3]byte, gpb byte) []byte {
	b := append(key[:], access[0], access[1], access[2], gpb)
	return append(b, KeyFactory[:]...)
}

// format gives every sector to NDEF. The trailer that says that there is a
// directory comes last, so that a card that was pulled away is still blank.
func (c *classic) format(ctx context.Context) error {
	switch {
	case c.hidden:
		return fmt.Errorf("%w: its first sector cannot be read", drivers.ErrLocked)
	case c.ndef:
		return c.write(ctx, 0, emptyMessage())
	case len(c.blocks) != len(allBlocks(c.sectors)):
		return fmt.Errorf("%w: its directory speaks of other applications", drivers.ErrLocked)
	}
	gpb := byte(gpbMAD1)
	if c.sectors > madSector2 {
		gpb = gpbMAD2
	}
	for s := 1; s < c.sectors; s++ {
		if err := c.formatSector(ctx, s, gpb); err != nil {
			return err
		}
	}
	return c.formatSector(ctx, 0, gpb)
}

func allBlocks(sectors int) []byte {
	blocks, _ := userBlocks(nil, sectors)
	return blocks
}

func emptyMessage() []byte { return append([]byte{0x03, 0x00, 0xFE}, make([]byte, blockSize-3)...) }

func (c *classic) formatSector(ctx context.Context, sector int, gpb byte) error {
	from, last := sectorBlocks(sector)
	var data []byte
	end := trailer(KeyMAD, accessMAD, gpb)
	switch sector {
	case 0:
		from, data = 1, makeMAD(madSize1, min(c.sectors, madSector2)-1)
	case madSector2:
		data = makeMAD(madSize2, c.sectors-madSector2-1)
	case 1:
		data, end = emptyMessage(), trailer(KeyNDEF, accessNDEF, gpbNDEF)
	default:
		end = trailer(KeyNDEF, accessNDEF, gpbNDEF)
	}
	for ; len(data) > 0; data, from = data[blockSize:], from+1 {
		if err := c.putVerified(ctx, from, data[:blockSize]); err != nil {
			return err
		}
	}
	if err := c.put(ctx, last, end); err != nil {
		return err
	}
	c.lost() // the key is another one now
	delete(c.good, right{sector, false})
	delete(c.good, right{sector, true})
	return nil
}
