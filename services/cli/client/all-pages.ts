interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Reads all pages of a list. */
export async function allPages<T>(
  pageSize: number,
  fetchPage: (page: PageRequest) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let pageToken = '';
  do {
    const { items, nextPageToken } = await fetchPage({ pageSize, pageToken });
    all.push(...items);
    pageToken = nextPageToken;
  } while (pageToken !== '');
  return all;
}
