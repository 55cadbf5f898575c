package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// table reads a sorted table block by block. A damaged block costs its records
// here; Badger leaves the whole table out, or dies of it.
func (s *salvage) table(name string) error {
	b, err := readThrough(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	index, err := tableIndex(b)
	if err != nil {
		s.broken = true
		s.fault(Finding{Check: "table", Fault: fmt.Sprintf("%s: its index is damaged: %v; the records in it are lost", name, err)})
		return nil
	}
	for i, at := range index {
		records, err := tableBlock(b, at)
		if err == nil {
			for _, r := range records {
				in := location{name, int64(at.offset + r.at), len(r.value)}
				s.record(r.key, r.meta, r.value, in)
			}
			continue
		}
		s.broken = true
		f := Finding{Check: "table", Fault: fmt.Sprintf("%s: bytes %d to %d are damaged; the records in them are lost", name, at.offset, at.offset+at.size-1)}
		s.nameRecord(&f, at.first)
		if i+1 < len(index) {
			var next Finding
			if s.nameRecord(&next, index[i+1].first); next.Author == f.Author {
				f.Through = max(f.Through, next.Height)
			}
		}
		s.fault(f)
	}
	return nil
}

// tableRange is a block of a table, and the key with which it begins.
type tableRange struct {
	first        []byte
	offset, size int
}

// tableIndex reads a table's index: at the end of the file, with its checksum
// behind it.
func tableIndex(b []byte) (out []tableRange, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("index cannot be read: %.100v", p)
		}
	}()
	sum, rest, err := cutSized(b)
	if err != nil {
		return nil, err
	}
	data, _, err := cutSized(rest)
	if err != nil {
		return nil, err
	}
	if err := checkSum(data, sum); err != nil {
		return nil, err
	}
	index := fb.GetRootAsTableIndex(data, 0)
	for i := range index.OffsetsLength() {
		var o fb.BlockOffset
		if !index.Offsets(&o, i) || int(o.Offset())+int(o.Len()) > len(b) {
			return nil, errors.New("a block lies outside the file")
		}
		out = append(out, tableRange{o.KeyBytes(), int(o.Offset()), int(o.Len())})
	}
	return out, nil
}

// cutSized takes from the end of b a field that its length, four bytes, follows.
func cutSized(b []byte) (field, rest []byte, err error) {
	n := len(b) - 4
	if n < 0 {
		return nil, nil, errors.New("the file is too short")
	}
	size := int(binary.BigEndian.Uint32(b[n:]))
	if size > n {
		return nil, nil, errors.New("a length is larger than the file")
	}
	return b[n-size : n], b[:n-size], nil
}

func checkSum(data, sum []byte) error {
	var c pb.Checksum
	if err := proto.Unmarshal(sum, &c); err != nil {
		return fmt.Errorf("its checksum cannot be read: %w", err)
	}
	if c.Algo != pb.Checksum_CRC32C && c.Algo != pb.Checksum_XXHash64 {
		return fmt.Errorf("checksum of unknown kind %d", c.Algo)
	}
	if y.CalculateChecksum(data, c.Algo) != c.Sum {
		return errors.New("its checksum does not fit")
	}
	return nil
}

// tableRecord is one record of a table; at is where its value begins in the
// block.
type tableRecord struct {
	key, value []byte
	meta       byte
	at         int
}

// tableBlock reads one block: entries, their offsets, their number, checksum.
// Keys leave out what they share with the first.
func tableBlock(b []byte, r tableRange) (out []tableRecord, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("block cannot be read: %.100v", p)
		}
	}()
	block := b[r.offset : r.offset+r.size]
	sum, data, err := cutSized(block)
	if err != nil {
		return nil, err
	}
	if err := checkSum(data, sum); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(data[len(data)-4:]))
	offsets := data[len(data)-4-4*n : len(data)-4]
	end := len(data) - 4 - 4*n
	var base []byte
	for i := range n {
		from, to := int(binary.NativeEndian.Uint32(offsets[4*i:])), end
		if i+1 < n {
			to = int(binary.NativeEndian.Uint32(offsets[4*i+4:]))
		}
		shared, differs := int(binary.NativeEndian.Uint16(data[from:])), int(binary.NativeEndian.Uint16(data[from+2:]))
		diff := data[from+4 : from+4+differs]
		if i == 0 {
			base = diff
		}
		key := append(append([]byte(nil), base[:shared]...), diff...)
		var v y.ValueStruct
		v.Decode(data[from+4+differs : to])
		out = append(out, tableRecord{key: key, value: v.Value, meta: v.Meta, at: to - len(v.Value)})
	}
	return out, nil
}
