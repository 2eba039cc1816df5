//! The calls of the S3 server of this process. It is as strict as Amazon's store where it can be: sums are checked,
//! conditions are atomic, small parts are refused.

use super::shelf::{Bucket, Shelf, Stored, Upload, forget};
use super::shelf_files;
use super::shelf_page::page;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use std::collections::BTreeMap;
use std::time::SystemTime;

const SMALLEST_PART: u64 = 5 << 20;

fn signed(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

fn is_any(condition: Option<&ETagCondition>) -> bool {
    condition.is_some_and(ETagCondition::is_any)
}

#[async_trait::async_trait]
impl S3 for Shelf {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let mut buckets = self.lock();
        if buckets.contains_key(&req.input.bucket) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        buckets.insert(req.input.bucket, Bucket::default());
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.with(&req.input.bucket, |_| Ok(S3Response::new(HeadBucketOutput::default())))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        if input.key.len() > 1024 {
            return Err(s3_error!(KeyTooLongError));
        }
        self.with(&input.bucket, |_| Ok(()))?;
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let taken = shelf_files::take(self.new_file(), body, input.content_md5, input.checksum_crc32.clone()).await?;
        let stored = Stored::new(taken);
        let tag = stored.tag.clone();
        self.shelve(&input.bucket, input.key, stored, is_any(input.if_none_match.as_ref()))?;
        let output = PutObjectOutput {
            e_tag: Some(ETag::Strong(tag)),
            checksum_crc32: input.checksum_crc32,
            ..PutObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        // Opened before it can be replaced.
        let (stored, file) = self.with(&req.input.bucket, |bucket| {
            let stored = bucket.objects.get(&req.input.key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
            let file = std::fs::File::open(&stored.file).map_err(|error| s3_error!(error, InternalError))?;
            Ok((stored, file))
        })?;
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let part = match req.input.range {
            Some(range) => Some(range.check(size)?),
            None => None,
        };
        let range = part.clone().unwrap_or(0..size);
        let body = shelf_files::give(file, range.clone()).await?;
        let output = GetObjectOutput {
            body: Some(body),
            content_length: signed(range.end - range.start),
            content_range: part.map(|part| format!("bytes {}-{}/{size}", part.start, part.end - 1)),
            last_modified: Some(stored.modified.into()),
            e_tag: Some(ETag::Strong(stored.tag)),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.find(&req.input.bucket, &req.input.key)?;
        let output = HeadObjectOutput {
            content_length: signed(stored.size()),
            last_modified: Some(stored.modified.into()),
            e_tag: Some(ETag::Strong(stored.tag)),
            ..HeadObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let old = self.with(&req.input.bucket, |bucket| Ok(bucket.objects.remove(&req.input.key)))?;
        old.into_iter().for_each(|old| forget(&old.file));
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let page = self.with(&input.bucket, |bucket| {
            Ok(page(&bucket.objects, input.prefix.as_deref(), input.marker.as_deref(), input.max_keys))
        })?;
        let output = ListObjectsOutput {
            contents: Some(page.objects),
            is_truncated: Some(page.more),
            name: Some(input.bucket),
            prefix: input.prefix,
            marker: input.marker,
            ..ListObjectsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let after = input.continuation_token.clone().or(input.start_after);
        let page = self.with(&input.bucket, |bucket| {
            Ok(page(&bucket.objects, input.prefix.as_deref(), after.as_deref(), input.max_keys))
        })?;
        let output = ListObjectsV2Output {
            key_count: i32::try_from(page.objects.len()).ok(),
            contents: Some(page.objects),
            is_truncated: Some(page.more),
            next_continuation_token: page.last.filter(|_| page.more),
            continuation_token: input.continuation_token,
            name: Some(input.bucket),
            prefix: input.prefix,
            ..ListObjectsV2Output::default()
        };
        Ok(S3Response::new(output))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let id = format!("upload-{:016x}", rand::random::<u64>());
        let upload = Upload { key: input.key.clone(), begun: SystemTime::now(), parts: BTreeMap::new() };
        self.with(&input.bucket, |bucket| {
            bucket.uploads.insert(id.clone(), upload);
            Ok(())
        })?;
        let output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        let find = |bucket: &mut Bucket| match bucket.uploads.get(&input.upload_id) {
            Some(upload) if upload.key == input.key => Ok(()),
            _ => Err(s3_error!(NoSuchUpload)),
        };
        self.with(&input.bucket, find)?;
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let taken = shelf_files::take(self.new_file(), body, input.content_md5, input.checksum_crc32.clone()).await?;
        let stored = Stored::new(taken);
        let tag = stored.tag.clone();
        // It may have been ended meanwhile.
        let old = self.with(&input.bucket, |bucket| match bucket.uploads.get_mut(&input.upload_id) {
            Some(upload) => Ok(upload.parts.insert(input.part_number, stored.clone())),
            None => Err(s3_error!(NoSuchUpload)),
        })?;
        old.into_iter().for_each(|old| forget(&old.file));
        let output = UploadPartOutput {
            e_tag: Some(ETag::Strong(tag)),
            checksum_crc32: input.checksum_crc32,
            ..UploadPartOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let after = input.part_number_marker.as_ref().and_then(|marker| marker.to_string().parse::<i32>().ok());
        let most = input.max_parts.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000);
        let parts: Vec<Part> = self.with(&input.bucket, |bucket| {
            let upload = bucket.uploads.get(&input.upload_id).filter(|upload| upload.key == input.key);
            let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload))?;
            let part = |(number, stored): (&i32, &Stored)| Part {
                part_number: Some(*number),
                size: signed(stored.size()),
                e_tag: Some(ETag::Strong(stored.tag.clone())),
                last_modified: Some(stored.modified.into()),
                ..Part::default()
            };
            Ok(upload.parts.iter().filter(|(number, _)| after.is_none_or(|after| **number > after)).map(part).collect())
        })?;
        let more = parts.len() > most;
        let parts: Vec<Part> = parts.into_iter().take(most).collect();
        let last = parts.last().and_then(|part| part.part_number).filter(|_| more);
        let output = ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(more),
            next_part_number_marker: last.and_then(|last| last.to_string().parse().ok()),
            parts: Some(parts),
            ..ListPartsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let only_new = is_any(input.if_none_match.as_ref());
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let parts: Vec<Stored> = self.with(&input.bucket, |bucket| {
            if only_new && bucket.objects.contains_key(&input.key) {
                return Err(s3_error!(PreconditionFailed));
            }
            let upload = bucket.uploads.get(&input.upload_id).filter(|upload| upload.key == input.key);
            let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload))?;
            let mut parts = Vec::new();
            let mut before = 0;
            for part in &named {
                let number = part.part_number.ok_or_else(|| s3_error!(InvalidPart))?;
                if number <= before {
                    return Err(s3_error!(InvalidPartOrder));
                }
                before = number;
                let stored = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
                if part.e_tag.as_ref().map(ETag::value) != Some(stored.tag.as_str()) {
                    return Err(s3_error!(InvalidPart));
                }
                parts.push(stored.clone());
            }
            Ok(parts)
        })?;
        let small = parts.iter().rev().skip(1).any(|part| part.size() < SMALLEST_PART);
        if parts.is_empty() || small {
            return Err(if small { s3_error!(EntityTooSmall) } else { s3_error!(MalformedXML) });
        }
        let (file, md5) = shelf_files::join(self.new_file(), &parts).await?;
        let tag = format!("{}-{}", shelf_files::hex(&md5), parts.len());
        let stored = Stored { file, md5, tag: tag.clone(), modified: SystemTime::now() };
        self.shelve(&input.bucket, input.key.clone(), stored, only_new)?;
        let upload = self.with(&input.bucket, |bucket| Ok(bucket.uploads.remove(&input.upload_id)))?;
        upload.into_iter().flat_map(|upload| upload.parts.into_values()).for_each(|part| forget(&part.file));
        let output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(tag)),
            ..CompleteMultipartUploadOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let upload = self.with(&req.input.bucket, |bucket| Ok(bucket.uploads.remove(&req.input.upload_id)))?;
        let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.into_values().for_each(|part| forget(&part.file));
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let uploads = self.with(&input.bucket, |bucket| {
            let ours = bucket.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix));
            let uploads = ours.map(|(id, upload)| MultipartUpload {
                key: Some(upload.key.clone()),
                upload_id: Some(id.clone()),
                initiated: Some(upload.begun.into()),
                ..MultipartUpload::default()
            });
            Ok(uploads.collect::<Vec<_>>())
        })?;
        let output = ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(false),
            uploads: Some(uploads),
            ..ListMultipartUploadsOutput::default()
        };
        Ok(S3Response::new(output))
    }
}
