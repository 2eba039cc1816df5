import { Skeleton } from '@mantine/core';
import { ErrorNote } from '../../shared/ui';
import { FtpDetails } from './details-ftp';
import { S3Details, type DetailProps } from './details-s3';
import { SftpDetails } from './details-sftp';
import { useProviders } from './queries';

/** The fields made for the chosen kind of place. */
export function DetailsStep(props: DetailProps) {
  const providers = useProviders();
  const { kind, s3 } = props.form.draft;
  if (kind === 'sftp') return <SftpDetails {...props} />;
  if (kind === 'ftp') return <FtpDetails {...props} />;
  const provider = providers.data?.find((each) => each.id === s3.provider);
  if (provider) return <S3Details {...props} provider={provider} />;
  if (providers.error) return <ErrorNote error={providers.error} retry={() => void providers.refetch()} />;
  return <Skeleton height={240} />;
}
