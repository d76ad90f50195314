//! What a Parquet file claims, looked at before a reader reserves memory by it: a reservation that no machine can meet ends the program.

use polars_io::parquet::read::FileMetadata;
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use polars_parquet_format::{FileMetaData, PageHeader};
use std::ops::Range;

type Checked<T> = std::result::Result<T, String>;

/// What a table may inflate to: so many bytes, and so many for each byte of its file.
const INFLATED: usize = 64 << 20;
const PER_BYTE: usize = 64;

/// The end of every Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";
/// The longest footer that is read, bytes; the longest of the committed collections has 4 kB.
const LONGEST_FOOTER: usize = 1 << 20;
/// What a footer may take in memory for each of its bytes, by the count of the reader below.
const FOOTER_PER_BYTE: usize = 4;

/// The file with its footer written anew from what could be read of it. Polars reserves memory by the lengths that a footer's lists claim;
/// in the new one they are those of the lists that are there.
pub(super) fn with_own_footer(mut file: Vec<u8>) -> Checked<Vec<u8>> {
    let (rest, magic) = file.split_last_chunk().ok_or("is shorter than any Parquet file")?;
    let (rest, length) = rest.split_last_chunk().ok_or("is shorter than any Parquet file")?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|e| e.to_string())?;
    let start = rest.len().checked_sub(length);
    let start = start.filter(|_| magic == MAGIC).ok_or("does not end as a Parquet file does")?;
    if length > LONGEST_FOOTER {
        return Err(format!(
            "has a footer of {length} bytes, more than {LONGEST_FOOTER}; take the collection from its source again"
        ));
    }
    let mut footer = TCompactInputProtocol::new(&rest[start..], FOOTER_PER_BYTE * length);
    let footer = FileMetaData::read_from_in_protocol(&mut footer).map_err(|e| e.to_string())?;
    file.truncate(start);
    let written = footer.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut file));
    written.map_err(|e| e.to_string())?;
    let length = u32::try_from(file.len() - start).map_err(|e| e.to_string())?;
    file.extend(length.to_le_bytes());
    file.extend(MAGIC);
    Ok(file)
}

/// Compares a file's own numbers with its length.
pub(super) fn check(file: &[u8], metadata: &FileMetadata) -> Checked<()> {
    let length = file.len();
    let most = INFLATED + PER_BYTE * length;
    let inflated = metadata.row_groups.iter().map(|group| group.total_byte_size());
    let inflated = inflated.fold(0, usize::saturating_add);
    // Every row has a number of its own, which takes a byte at least.
    if metadata.num_rows > length || inflated > most {
        return Err(format!(
            "claims {} rows of {inflated} bytes in {length}; take the collection from its source again",
            metadata.num_rows
        ));
    }
    for group in &metadata.row_groups {
        for column in group.parquet_columns() {
            pages_within(file, column.byte_range(), group.num_rows(), most)?;
        }
    }
    Ok(())
}

/// Compares what each page of the column at `range` claims with the rows of its group and with the bytes that it may inflate to. A reader
/// reserves memory by these numbers, and a reservation that no machine can meet ends the program.
fn pages_within(
    file: &[u8],
    range: Range<u64>,
    rows: usize,
    most: usize,
) -> std::result::Result<(), String> {
    let mut pages = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok())
        .and_then(|(start, end)| file.get(start..end))
        .ok_or("names a column outside the file; take the collection from its source again")?;
    while !pages.is_empty() {
        let limit = pages.len();
        let mut header = TCompactInputProtocol::new(&mut pages, limit);
        let header = PageHeader::read_from_in_protocol(&mut header).map_err(|e| e.to_string())?;
        let values = [
            header.data_page_header.map(|h| h.num_values),
            header.data_page_header_v2.map(|h| h.num_values),
            header.dictionary_page_header.map(|h| h.num_values),
        ];
        // A negative number becomes one that is too large.
        let claims = |number: i32| usize::try_from(number).unwrap_or(usize::MAX);
        let values = values.into_iter().flatten().map(claims).max().unwrap_or(0);
        let (inflated, stored) =
            (claims(header.uncompressed_page_size), claims(header.compressed_page_size));
        if values > rows || inflated > most || stored > pages.len() {
            return Err(format!(
                "has a page that claims {values} values of {rows} rows, {stored} bytes that inflate to {inflated}; take the collection from its source again"
            ));
        }
        pages = &pages[stored..];
    }
    Ok(())
}
